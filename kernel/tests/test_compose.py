"""compose: what was chosen becomes instances, in a PluginManager that serves one run."""

from __future__ import annotations

import sys

import pytest

import microtune as mt
from microtune.compose import EXECUTOR, LOGGER, SCHEDULER, SEARCHER, STOPPER, Composed, choose, compose, deliver, modify
from microtune.testing import FakeExecutor, FakeLogger, FakeSearcher, fake_dist


class Picky(FakeSearcher):
    """Takes options."""

    def __init__(self, *, depth: int = 3, kind: str = "tree") -> None:
        super().__init__()
        if depth < 1:
            raise ValueError("depth is at least 1")
        self.depth, self.kind = depth, kind


class Front(mt.Modifier):
    def __init__(self, inner, *, times: int = 1) -> None:
        super().__init__(inner)
        self.times = times


class Behind(Front):
    pass


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution `picky-search 1.5`, which offers this module's classes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "picky_module", sys.modules[__name__])
    points = {"microtune.searchers": {"picky": "picky_module:Picky"}, "microtune.modifiers": {"front": "picky_module:Front"}}
    fake_dist(tmp_path, "picky-search", "1.5", points)


# --- choosing --------------------------------------------------------------------------------------------------------


def test_a_plugin_is_chosen_by_its_name_with_options(installed):
    chosen = choose(SEARCHER, "picky:depth=5,kind=forest")
    assert (chosen.plugin.depth, chosen.plugin.kind) == (5, "forest")
    assert chosen.described == {
        "role": "searcher", "name": "picky", "distribution": "picky-search", "version": "1.5",
        "options": {"depth": 5, "kind": "forest"},
    }  # fmt: skip
    assert chosen.title == "searcher 'picky' (picky-search 1.5)"


def test_a_plugin_is_chosen_by_its_class_or_where_that_is(installed):
    for choice in (Picky, "picky_module.Picky"):
        chosen = choose(SEARCHER, choice)
        assert type(chosen.plugin).__name__ == "Picky"
        assert chosen.described["name"] == "Picky"
        assert chosen.described["class"].endswith(".Picky")
        assert chosen.described["options"] == {}
    assert choose(SEARCHER, "picky_module.Picky:depth=7").plugin.depth == 7


def test_an_instance_is_taken_as_it_is_and_described_by_its_class_and_repr():
    plugin = FakeSearcher()
    chosen = choose(SEARCHER, plugin)
    assert chosen.plugin is plugin
    assert chosen.described["class"] == "microtune.testing.fakes.FakeSearcher"
    assert chosen.described["repr"] == repr(plugin)


@pytest.mark.parametrize("choice", [None, 5, 0.5, {"name": "picky"}, ["picky"]])
def test_anything_else_is_refused(choice):
    with pytest.raises(mt.OptionError, match="searcher is chosen by name, class or instance, not"):
        choose(SEARCHER, choice)


def test_options_that_the_plugin_refuses_are_an_error_that_names_it(installed):
    with pytest.raises(mt.OptionError, match=r"searcher 'picky' refuses its options .*ValueError: depth is at least 1"):
        choose(SEARCHER, "picky:depth=0")
    with pytest.raises(mt.OptionError, match="deep"):
        choose(SEARCHER, "picky:deep=1")


# --- modifiers -------------------------------------------------------------------------------------------------------


def test_the_first_modifier_is_the_outermost(installed):
    chosen = modify(["front:times=3", Behind], choose(SEARCHER, "picky"))
    assert isinstance(chosen.plugin, Front)
    assert chosen.plugin.times == 3
    assert chosen.name == "front(Behind(picky))"
    assert chosen.role == SEARCHER
    assert [chosen.described[key] for key in ("role", "name", "version")] == ["modifier", "front", "1.5"]
    assert chosen.described["inner"]["name"] == "Behind"
    assert chosen.described["inner"]["inner"]["name"] == "picky"


def test_what_is_behind_a_modifier_hears_everything(tuner):
    searcher = FakeSearcher()
    tuner(searcher=searcher, modifiers=[Front, Behind]).fit()
    assert [told[0] for told in searcher.told] == ["start", "result", "result", "end"]


def test_a_modifier_cannot_be_chosen_by_instance():
    with pytest.raises(mt.OptionError, match="a modifier is chosen by name or class"):
        modify([Front(FakeSearcher())], choose(SEARCHER, FakeSearcher()))


def test_what_does_not_keep_the_contract_is_found_behind_a_modifier_too(tuner):
    class Hasty(FakeSearcher):
        @mt.hookimpl
        async def on_end(self, trial):
            pass

    with pytest.raises(mt.OptionError, match="searcher 'Hasty': on_end is `async def`"):
        tuner(searcher=Hasty(), modifiers=[Front]).fit()


# --- composing -------------------------------------------------------------------------------------------------------


class Listens:
    @mt.hookimpl
    def on_end(self, trial):
        pass


def test_the_order_is_that_of_the_roles_and_within_one_that_of_giving():
    given = [LOGGER, EXECUTOR, STOPPER, SEARCHER, LOGGER, SCHEDULER, STOPPER]
    chosen = [choose(role, Listens())._replace(name=f"{role}{i}") for i, role in enumerate(given)]
    calls = compose(chosen).calls["on_end"]
    assert [call.composed.name for call in calls] == [
        "stopper2", "stopper6", "scheduler5", "searcher3", "executor1", "logger0", "logger4",
    ]  # fmt: skip
    assert [call.observes for call in calls] == [False] * 5 + [True] * 2


def test_two_runs_share_nothing():
    one, other = compose([choose(LOGGER, Listens())]), compose([choose(LOGGER, Listens())])
    assert one.manager is not other.manager
    assert len(one.manager.get_plugins()) == len(other.manager.get_plugins()) == 1


def test_one_instance_serves_one_run(tuner):
    searcher = FakeSearcher()
    tuner(searcher=searcher).fit()
    with pytest.raises(mt.OptionError, match="searcher 'FakeSearcher': this instance has had its run"):
        tuner(searcher=searcher, name="second").fit()


def test_one_instance_cannot_have_two_roles():
    both = Listens()
    with pytest.raises(mt.OptionError, match="Listens': it is, or equals, another plugin of this run: make one of its own"):
        compose([choose(LOGGER, both), choose(SCHEDULER, both)])


def wrong(**hooks):
    """A plugin class with these methods as hooks."""
    return type("Wrong", (), hooks)()


@mt.hookimpl
async def an_async_hook(self, trial):
    pass


@mt.hookimpl
def with_a_keyword(self, trial, *, more=1):
    pass


@mt.hookimpl
def with_keywords(self, **everything):
    pass


@mt.hookimpl
def with_arguments(self, *everything):
    pass


@mt.hookimpl(tryfirst=True)
def who_pushes(self, trial):
    pass


@mt.hookimpl(wrapper=True)
def a_wrapper(self, trial):
    return (yield)


@mt.hookimpl
def with_a_stranger(self, trial, weather):
    pass


@pytest.mark.parametrize(
    ("hooks", "complaint"),
    [
        ({"on_end": an_async_hook}, "logger 'Wrong': on_end is `async def`; hooks are plain functions"),
        ({"on_end": with_a_keyword}, "on_end may take positional parameters only, not 'more=1'"),
        ({"on_end": with_keywords}, r"on_end may take positional parameters only, not '\*\*everything'"),
        ({"on_end": with_arguments}, r"on_end may take positional parameters only, not '\*everything'"),
        ({"on_end": who_pushes}, "on_end is marked tryfirst; the only order is that of the roles"),
        ({"on_end": a_wrapper}, "on_end is marked wrapper; the only order is that of the roles"),
        ({"on_end": with_a_stranger}, "logger 'Wrong' does not keep the contract: .*weather"),
        ({"on_the_end": with_a_keyword}, "on_the_end"),
        ({"on_ende": Listens.on_end}, "logger 'Wrong' does not keep the contract: .*on_ende"),
        ({"on_end": lambda self, trial: None}, "logger 'Wrong' implements no hook: decorate its methods with @microtune.h"),
    ],
)
def test_what_does_not_keep_the_contract_is_refused_before_the_run(hooks, complaint):
    with pytest.raises(mt.OptionError, match=complaint):
        compose([choose(LOGGER, wrong(**hooks))])


# --- calling ---------------------------------------------------------------------------------------------------------


def test_an_implementation_gets_the_parameters_that_it_names():
    got = []

    class Names:
        @mt.hookimpl
        def on_result(self, result, run):
            got.append((result, run))

        @mt.hookimpl
        def on_end(self):
            got.append("nothing")

    plugins = compose([choose(LOGGER, Names())])
    deliver(plugins.calls["on_result"][0], "on_result", {"run": 1, "trial": 2, "result": 3})
    deliver(plugins.calls["on_end"][0], "on_end", {"run": 1, "trial": 2})
    assert got == [(3, 1), "nothing"]


def test_who_is_quarantined_is_called_no_more_but_for_its_teardown():
    class All(FakeLogger):
        @mt.hookimpl
        def teardown(self):
            pass

    bad, good = choose(LOGGER, All()), choose(LOGGER, All())
    plugins = compose([bad, good, choose(EXECUTOR, FakeExecutor())])
    plugins.quarantine(bad)
    assert [call.composed for call in plugins.calls["log"]] == [good]
    assert [call.composed for call in plugins.calls["teardown"] if call.observes] == [bad, good]
    assert plugins.of(LOGGER) == [good]


def test_the_title_of_what_has_no_distribution_is_its_role_and_name():
    assert Composed(LOGGER, "mine", Listens(), {"role": "logger"}).title == "logger 'mine'"


def test_a_class_that_is_no_plugin_is_not_even_constructed(tmp_path):
    """The journal of a run names classes, and may come from anybody."""
    with pytest.raises(mt.OptionError, match=r"searcher 'logging\.FileHandler' is no plugin: it implements no hook"):
        choose(SEARCHER, f"logging.FileHandler:filename={tmp_path / 'made'}")
    assert list(tmp_path.iterdir()) == []
