"""Who fails is named, and what the run had is kept."""

from __future__ import annotations

import sys

import pytest

import microtune as mt
from microtune import faults
from microtune.hookspecs import HOOKS
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher, fake_dist

TOLD = ("setup", "on_start", "on_result", "on_end")
AT_FAULT = {
    "stop": (*TOLD, "suggest", "decide", "checkpoint", "teardown"),
    "scheduler": (*TOLD, "suggest", "decide", "checkpoint", "teardown"),
    "searcher": (*TOLD, "suggest", "checkpoint", "teardown"),
    "executor": (*TOLD, "launch", "wait", "steer", "checkpoint", "teardown"),
}
FAKES = {"stop": FakeScheduler, "scheduler": FakeScheduler, "searcher": FakeSearcher, "executor": FakeExecutor}


def failing(fake, hook, *, after=0):
    """A fake that fails in this hook, the first calls excepted."""
    calls = []

    def fail(self, *arguments):
        calls.append(hook)
        if len(calls) > after:
            raise ArithmeticError(f"{hook} went wrong")
        inherited = getattr(fake, hook, None)
        return inherited(self, *arguments) if inherited else None

    names = {
        "setup": "run", "suggest": "run, rng", "on_start": "run, trial", "launch": "run, trial", "wait": "run, until",
        "on_result": "run, trial, result", "on_pause": "run, trial",
        "decide": "run, trial, result", "steer": "run, trial, decision",
        "checkpoint": "run, trial, checkpoint", "on_end": "run, trial", "teardown": "run, error",
    }[hook]  # fmt: skip
    if fake is FakeExecutor and hook in ("on_result", "on_end"):
        names = names.removeprefix("run, ")
    elif hook in (*TOLD, "on_pause") and not hasattr(fake, hook):
        names = ""
    scope = {"fail": fail}
    exec(f"def {hook}(self, {names}): return fail(self, {names})", scope)
    return type("Failing", (fake,), {hook: mt.hookimpl(scope[hook])})()


def saves(config):
    for step in (1, 2):
        folder = mt.checkpoint_dir()
        (folder / "step").write_text(str(step))
        mt.report(loss=1.0 / step, checkpoint=folder)


@pytest.mark.parametrize(("role", "hook"), [(role, hook) for role, hooks in AT_FAULT.items() for hook in hooks])
def test_whoever_decides_stops_the_run_by_failing_and_the_run_can_be_resumed(role, hook, tuner, restored, journalled):
    told_as = "stopper" if role == "stop" else role
    given = {role: failing(FAKES[role], hook, after=2 if hook in ("suggest", "wait") else 0)}
    logger = FakeLogger()
    with pytest.raises(mt.PluginError) as failed:
        tuner(saves, num_samples=3, loggers=[logger], **given).fit()
    about = "" if hook in ("setup", "suggest", "wait", "teardown") else " for trial 00000"
    assert str(failed.value) == f"{told_as} 'Failing' failed in {hook}{about}: ArithmeticError: {hook} went wrong"
    assert isinstance(failed.value.__cause__, ArithmeticError)
    if hook == "setup":
        assert logger.events == []
        assert tuner(saves, num_samples=3).fit()
        return
    assert logger.events == journalled()  # what was recorded was committed, and nobody missed it
    results = restored(saves, **({role: None} if role in ("stop", "scheduler") else {})).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 3


@pytest.mark.parametrize("role", FAKES)
def test_whoever_cannot_hear_of_a_pause_stops_the_run_and_it_can_be_resumed(role, tuner, restored):
    pauses = FakeScheduler(decide=lambda trial, result: mt.Pause("rung"))
    given = {"scheduler": pauses, role: failing(FAKES[role], "on_pause")}
    if role == "scheduler":
        given["stop"] = FakeScheduler(decide=lambda trial, result: mt.Pause("rung"))
    with pytest.raises(mt.PluginError, match="'Failing' failed in on_pause for trial 00000: ArithmeticError"):
        tuner(saves, **given).fit()
    assert [trial.state for trial in restored(saves, stop=None, scheduler=None).fit()] == ["COMPLETED"]


def test_the_error_names_the_distribution_and_its_version(tuner, tmp_path, monkeypatch):
    class Mine(FakeSearcher):
        @mt.hookimpl
        def on_result(self, trial):
            raise KeyError("loss")

    module = type(sys)("mine_module")
    module.Mine = Mine
    monkeypatch.setitem(sys.modules, "mine_module", module)
    monkeypatch.syspath_prepend(str(tmp_path))
    fake_dist(tmp_path, "mine-search", "1.5", {"microtune.searchers": {"mine": "mine_module:Mine"}})
    message = r"searcher 'mine' \(mine-search 1\.5\) failed in on_result for trial 00000: KeyError: 'loss'"
    with pytest.raises(mt.PluginError, match=message):
        tuner(searcher="mine").fit()


def test_a_plugin_behind_a_modifier_fails_in_the_name_of_both(tuner):
    class Front(mt.Modifier):
        pass

    with pytest.raises(mt.PluginError, match=r"searcher 'Front\(Failing\)' failed in on_start for trial 00000"):
        tuner(searcher=failing(FakeSearcher, "on_start"), modifiers=[Front]).fit()


def test_every_hook_that_can_fail_is_tried_here_or_with_the_loggers():
    tried = {hook for hooks in AT_FAULT.values() for hook in hooks}
    assert tried | {"log", "on_pause"} == set(HOOKS)


def test_all_errors_are_of_one_family_and_option_errors_are_value_errors():
    for name in ("OptionError", "SpaceError", "PluginNotFound", "CannotFit", "RunError", "PluginError"):
        assert issubclass(getattr(mt, name), faults.MicrotuneError)
    assert issubclass(faults.OptionError, ValueError)
    assert issubclass(faults.PluginError, faults.RunError)


def test_an_error_is_described_in_one_line():
    assert faults.describe(ValueError("too small")) == "ValueError: too small"
    assert faults.describe(KeyboardInterrupt()) == "KeyboardInterrupt"
