"""Run: a session's beginning and end, and the turns between them, driven by whoever likes."""

from __future__ import annotations

import os
import signal

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher


class Diary:
    """Writes down when it is set up and torn down; fails where it is told to."""

    def __init__(self, name, lines, *, fails=""):
        self.name, self.lines, self.fails = name, lines, fails

    @mt.hookimpl
    def setup(self):
        self.lines.append(f"{self.name} setup")
        if self.fails == "setup":
            raise RuntimeError("refused")

    @mt.hookimpl
    def teardown(self, error):
        self.lines.append(f"{self.name} teardown" + (f" {type(error).__name__}" if error else ""))
        if self.fails == "teardown":
            raise RuntimeError("left a mess")


class Scheduler(Diary):
    pass


class Searcher(Diary, FakeSearcher):
    def __init__(self, *arguments, **options):
        Diary.__init__(self, *arguments, **options)
        FakeSearcher.__init__(self)


class Executor(Diary, FakeExecutor):
    """Its setup and teardown are the fake's as well."""

    def __init__(self, *arguments, **options):
        Diary.__init__(self, *arguments, **options)
        FakeExecutor.__init__(self)

    @mt.hookimpl
    def setup(self, run):
        FakeExecutor.setup(self, run)
        Diary.setup(self)

    @mt.hookimpl
    def teardown(self, run, error):
        FakeExecutor.teardown(self, run, error)
        Diary.teardown(self, error)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_run_can_be_driven_by_hand(tuner):
    run = tuner(num_samples=2).open()
    assert run.counts["PENDING"] == run.counts["RUNNING"] == 0
    seen = []
    while run.step():
        seen.append(run.counts["COMPLETED"])
    assert seen == [0, 0, 0, 1, 1, 1]
    run.close()
    assert run.outcome == (True, "all 2 trials have been started")


def test_what_is_asked_for_by_a_call_ends_the_run_at_the_next_turn(tuner, opened):
    run = opened(tuner(num_samples=5))
    run.step()
    run.interrupt(signal.SIGINT)
    while run.step():
        pass
    assert run.outcome == (False, "SIGINT")


def test_a_run_may_be_closed_twice(tuner, journalled):
    run = tuner().open()
    run.step()
    run.close()
    run.close()
    assert [event.kind for event in journalled()].count("closed") == 1


def test_a_run_that_is_closed_in_the_middle_can_be_resumed(tuner, restored, journalled):
    run = tuner(num_samples=3).open()
    run.step()
    run.step()
    run.close()
    assert journalled("closed")[0].body == {"reason": "it was closed before it was over", "finished": False}
    assert [trial.state for trial in restored().fit()] == ["COMPLETED"] * 3


# --- what the session writes down ------------------------------------------------------------------------------------


def test_the_first_event_says_what_the_run_is(tuner, journalled):
    tuner(num_samples=2, seed=42, stop="loss < 0.1", max_failures=3).fit()
    body = journalled("opened")[0].body
    assert body["pid"] == os.getpid()
    assert body["name"] == "run"
    assert body["kernel"] == mt.__version__
    settings = body["settings"]
    given = {"metric": "loss", "mode": "min", "num_samples": 2, "seed": 42, "stop": "loss < 0.1", "max_failures": 3}
    assert {key: settings[key] for key in given} == given
    assert [(plugin["role"], plugin["name"]) for plugin in settings["plugins"]] == [
        ("stopper", "Condition"), ("searcher", "FakeSearcher"), ("executor", "FakeExecutor"),
    ]  # fmt: skip


def test_a_later_session_writes_down_only_what_changed(tuner, restored, journalled):
    tuner(num_samples=1, seed=42).fit()
    restored(num_samples=3, max_failures=2).fit()
    changed = journalled("changed")[0].body["settings"]
    for instance in ("plugins", "searcher", "executor"):  # of which there is no more than their repr
        del changed[instance]
    assert changed == {"num_samples": 3, "max_failures": 2}


def test_the_last_event_says_how_the_session_ended(tuner, restored, journalled):
    tuner(num_samples=2, time_budget_s=2.5).fit()
    with pytest.raises(mt.PluginError):
        restored(time_budget_s=100, scheduler=FakeScheduler(decide=lambda trial, result: 1 / 0)).fit()
    restored(scheduler=None).fit()
    first, second, third = (event.body for event in journalled("closed"))
    assert first == {"reason": "the time budget of 2.5 s is used up", "finished": False}
    assert second["reason"] == "PluginError"
    assert not second["finished"]
    assert "ZeroDivisionError" in second["error"]
    assert third == {"reason": "all 2 trials have been started", "finished": True}


def test_plugins_see_whether_the_run_is_resumed_and_under_which_id(tuner, restored):
    seen = []

    class Looks(FakeLogger):
        @mt.hookimpl
        def setup(self, run):
            seen.append((run.resumed, run.id, run.name, run.path))

    path = tuner(loggers=[Looks()]).fit().path
    restored(loggers=[Looks()]).fit()
    (first, second) = seen
    assert [first[0], second[0]] == [False, True]
    assert first[1:] == second[1:]
    assert first[3] == path


# --- setup and teardown ----------------------------------------------------------------------------------------------


def plugins(lines, **fails):
    def make(cls, name):
        return cls(name, lines, fails=fails.get(name, ""))

    return {
        "stop": make(Diary, "rule"), "scheduler": make(Scheduler, "scheduler"), "searcher": make(Searcher, "searcher"),
        "executor": make(Executor, "executor"), "loggers": [make(Diary, "logger")],
    }  # fmt: skip


ROLES = ["rule", "scheduler", "searcher", "executor", "logger"]


def test_everyone_is_set_up_and_torn_down_in_the_reverse_order(tuner):
    lines = []
    tuner(**plugins(lines)).fit()
    assert lines == [f"{role} setup" for role in ROLES] + [f"{role} teardown" for role in reversed(ROLES)]


def test_who_refuses_in_setup_refuses_the_run_and_those_before_are_torn_down(tuner, tmp_path):
    lines = []
    with pytest.raises(mt.PluginError, match="searcher 'Searcher' failed in setup: RuntimeError: refused"):
        tuner(**plugins(lines, searcher="setup")).fit()
    assert lines == [
        "rule setup", "scheduler setup", "searcher setup",
        "searcher teardown PluginError", "scheduler teardown PluginError", "rule teardown PluginError",
    ]  # fmt: skip
    assert not (tmp_path / "run").exists()  # a run that was refused leaves nothing
    assert tuner().fit()[0].state == "COMPLETED"


def test_a_refusal_in_a_plugins_own_words_reaches_the_user_as_it_is(tuner):
    class Particular(FakeSearcher):
        @mt.hookimpl
        def setup(self, run):
            raise mt.OptionError("I take integers only: choose another searcher")

    with pytest.raises(mt.OptionError, match=r"^I take integers only: choose another searcher$"):
        tuner(searcher=Particular()).fit()


def test_everyone_is_torn_down_after_an_error_and_hears_of_it(tuner):
    class Interrupted:
        @mt.hookimpl
        def log(self):
            raise KeyboardInterrupt

    lines = []
    with pytest.raises(KeyboardInterrupt):
        tuner(**{**plugins(lines), "loggers": [Interrupted(), Diary("logger", lines)]}).fit()
    assert lines[5:] == [f"{role} teardown KeyboardInterrupt" for role in reversed(ROLES)]


@pytest.mark.parametrize("role", ["rule", "scheduler", "searcher", "executor"])
def test_an_error_in_teardown_is_raised_but_keeps_nobody_from_his(role, tuner, caplog):
    lines = []
    with pytest.raises(mt.PluginError, match="failed in teardown: RuntimeError: left a mess"):
        tuner(**plugins(lines, **{role: "teardown"})).fit()
    assert lines[5:] == [f"{role} teardown" for role in reversed(ROLES)]


def test_an_error_in_teardown_does_not_hide_the_error_of_the_run(tuner, caplog):
    given = plugins([], executor="teardown")
    given["scheduler"] = FakeScheduler(decide=lambda trial, result: 1 / 0)
    with pytest.raises(mt.PluginError, match="failed in decide"):
        tuner(**given).fit()
    assert "failed in teardown: RuntimeError: left a mess" in caplog.text


def test_a_first_look_at_the_executor_that_fails_leaves_no_run_behind(tuner):
    class Broken(FakeExecutor):
        @mt.hookimpl
        def wait(self, run, until):
            raise ConnectionError("no cluster")

    with pytest.raises(mt.PluginError, match="executor 'Broken' failed in wait: ConnectionError: no cluster"):
        tuner(executor=Broken()).fit()
    assert tuner().fit()[0].state == "COMPLETED"
