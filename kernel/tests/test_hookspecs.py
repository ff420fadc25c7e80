from __future__ import annotations

import inspect
import re

import pluggy
import pytest

from microtune import hookspecs


def test_hooks_lists_every_hook_in_the_order_of_the_file():
    defined = [name for name, f in vars(hookspecs).items() if hasattr(f, f"{hookspecs.PROJECT}_spec")]
    assert tuple(defined) == hookspecs.HOOKS


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_a_hook_is_documented_and_takes_the_run_first(hook):
    function = getattr(hookspecs, hook)
    assert inspect.getdoc(function)
    assert next(iter(inspect.signature(function).parameters)) == "run"


def test_verbs_that_ask_take_the_first_answer_and_tells_none():
    def asks(hook):
        return getattr(hookspecs, hook).microtune_spec["firstresult"]

    assert {hook for hook in hookspecs.HOOKS if asks(hook)} == {"suggest", "wait", "decide", "checkpoint"}
    for hook in hookspecs.HOOKS:
        returns = inspect.signature(getattr(hookspecs, hook)).return_annotation
        assert ("None" in returns and returns != "None") == asks(hook), hook


def test_the_head_of_the_file_names_every_hook():
    told = set(re.findall(r"\w+", hookspecs.__doc__))
    assert set(hookspecs.HOOKS) <= told


def test_an_implementation_names_only_what_it_wants():
    class Plugin:
        @hookspecs.hookimpl
        def decide(self, result):
            return result

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Plugin())
    assert manager.hook.decide(run=None, trial=None, result="heard") == "heard"
