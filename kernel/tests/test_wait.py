"""wait: where time comes from, and how long the kernel asks the executor to wait."""

from __future__ import annotations

import math
import os
import signal

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher, ScriptedExecutor


class Watched(ScriptedExecutor):
    def __init__(self, **options):
        super().__init__(**options)
        self.untils = []

    @mt.hookimpl
    def wait(self, run, until):
        self.untils.append(until)
        return super().wait(run, until)


def test_the_kernel_waits_for_nothing_where_nothing_runs(tuner, opened):
    executor = Watched()
    run = opened(tuner(executor=executor))
    run.step()
    assert set(executor.untils) == {0.0}
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert executor.untils[-1] == math.inf


def test_what_the_executor_says_of_time_and_room_is_what_plugins_see(tuner, opened):
    seen = []

    class Looks(FakeSearcher):
        @mt.hookimpl
        def suggest(self, run, rng):
            seen.append((run.now, run.capacity))
            return super().suggest(run, rng)

    executor = ScriptedExecutor(slots=2)
    executor.now = 50.0
    run = opened(tuner(executor=executor, searcher=Looks(), num_samples=3))
    run.step()
    executor.slots = 3
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert seen == [(50.0, {"cpu": 2.0}), (50.0, {"cpu": 2.0}), (51.0, {"cpu": 3.0})]


def test_fewer_slots_than_running_trials_start_no_more_until_enough_have_left(scripted):
    run, executor = scripted(slots=3, num_samples=9)
    executor.slots = 1
    for trial_id in ("00000", "00001"):
        executor.exits(trial_id, "error")
    run.step()
    assert len(executor.launched) == 3
    executor.exits("00002", "error")
    run.step()
    assert len(executor.launched) == 4


def test_the_time_budget_is_the_deadline_and_ends_the_run(tuner, opened, journalled):
    executor = Watched()
    executor.now = 100.0
    run = opened(tuner(executor=executor, time_budget_s=30))
    run.step()
    assert run.step()  # nobody reports: the budget is used up, and the trial is told
    assert executor.untils[-1] == 130.0
    assert executor.steered == [("00000", mt.Pause("the time budget of 30 s is used up"))]
    executor.exits("00000")
    assert not run.step()
    assert executor.untils[-1] == math.inf  # whoever leaves takes his time
    assert run.outcome == (False, "the time budget of 30 s is used up")
    assert run.counts["PENDING"] == 1


def test_the_time_budget_counts_all_sessions_but_not_what_is_between_them(tuner, restored, opened):
    def two_sessions(pause):
        executor = ScriptedExecutor()
        executor.now = 100.0
        run = opened(tuner(executor=executor, time_budget_s=30, name=f"run{pause}"))
        run.step()
        for iteration in range(1, 11):
            executor.reports("00000", iteration, loss=1.0)
            run.step()
        folder = run.facts.path
        run.close()
        again = Watched()
        again.now = 110.0 + pause
        run = opened(restored(folder=folder, executor=again))
        run.step()
        run.step()
        return again.untils[-1] - again.launched[0].iteration

    assert two_sessions(0) == 110 + 20 - 10
    assert two_sessions(86400) == 110 + 86400 + 20 - 10


def test_a_used_up_budget_starts_nothing_until_it_is_extended(tuner, restored):
    results = tuner(time_budget_s=3.5, num_samples=4).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "PENDING"]
    executor = FakeExecutor()
    results = restored(executor=executor).fit()
    assert executor.launched == []
    assert not results.closed["finished"]
    results = restored(time_budget_s=60).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 4


def test_a_signal_drains_the_run_and_the_resume_takes_its_trials_first(scripted, restored, opened):
    run, executor = scripted(slots=2, num_samples=5)
    run.interrupt(signal.SIGTERM)
    executor.reports("00001", 1, loss=0.5)
    assert run.step()
    assert executor.steered == [("00001", mt.Pause("SIGTERM")), ("00000", mt.Pause("SIGTERM"))]
    executor.exits("00000")
    executor.exits("00001", "lost")
    assert not run.step()
    assert run.counts == {"PENDING": 2, "RUNNING": 0, "PAUSED": 0, "COMPLETED": 0, "STOPPED": 0, "FAILED": 0}
    run.close()

    executor = ScriptedExecutor(slots=3)
    opened(restored(executor=executor)).step()
    assert [(trial.id, trial.attempt) for trial in executor.launched] == [("00000", 2), ("00001", 2), ("00002", 1)]


def test_the_descriptor_that_woke_the_executor_is_emptied(tuner):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    executor = ScriptedExecutor()
    run = tuner(executor=executor).open(wakeup_fd=reader)
    try:
        run.step()
        run.interrupt(signal.SIGINT)
        os.write(writer, b"!")
        executor.reports("00000", 1, loss=1.0)
        run.step()
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
        executor.exits("00000")
        run.interrupt(signal.SIGINT)  # by a call: the descriptor is empty, and that is no matter
        assert not run.step()
    finally:
        run.close()
        os.close(reader)
        os.close(writer)


def test_the_first_reason_to_end_the_run_is_the_one_that_counts(tuner, opened):
    executor = ScriptedExecutor()
    run = opened(tuner(executor=executor, time_budget_s=10))
    run.step()
    run.step()
    run.interrupt(signal.SIGINT)
    executor.exits("00000")
    run.step()
    assert run.outcome[1] == "the time budget of 10 s is used up"


def test_an_answer_that_is_no_batch_is_an_error_that_names_the_executor(tuner):
    class Wrong(FakeExecutor):
        @mt.hookimpl
        def wait(self, run, until):
            return []

    with pytest.raises(mt.PluginError, match=r"'Wrong' answered wait with \[\]: it answers a Batch"):
        tuner(executor=Wrong()).fit()


def test_without_an_executor_that_waits_there_is_no_run(tuner):
    class Silent:
        @mt.hookimpl
        def launch(self):
            pass

    with pytest.raises(mt.RunError, match="no executor answered wait: choose one"):
        tuner(executor=Silent()).fit()
