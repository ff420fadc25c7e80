"""launch and steer: what the executor is handed, and what it may refuse."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher, ScriptedExecutor


def test_a_trial_that_can_never_fit_is_failed_and_the_run_goes_on(tuner):
    class Greedy(FakeSearcher):
        @mt.hookimpl
        def suggest(self, run, rng):
            return mt.Start({"x": 0.5}, token=0, resources={"cpu": 8 if self.started == 1 else 1})

    searcher = Greedy()
    results = tuner(searcher=searcher, executor=FakeExecutor(capacity={"cpu": 2}), num_samples=3).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert results[1].reason == "trial 00001 asks for 8 cpu; there is 2"
    assert [told for told in searcher.told if told[1] == "00001"] == [("start", "00001", 1), ("end", "00001", "FAILED")]


def test_fail_fast_counts_a_trial_that_can_never_fit(tuner):
    results = tuner(resources={"cpu": 8}, executor=FakeExecutor(capacity={"cpu": 2}), num_samples=3, fail_fast=True).fit()
    assert [trial.state for trial in results] == ["FAILED"]
    assert results.closed["reason"].startswith("fail_fast: trial 00000 failed: trial 00000 asks for 8 cpu")


def test_only_the_executor_can_say_that_a_trial_cannot_fit(tuner):
    class Confused(FakeSearcher):
        @mt.hookimpl
        def suggest(self, run, rng):
            raise mt.CannotFit("no room for ideas")

    with pytest.raises(mt.PluginError, match="searcher 'Confused' failed in suggest: CannotFit: no room for ideas"):
        tuner(searcher=Confused()).fit()


def test_an_executor_that_cannot_launch_stops_the_run_which_can_be_resumed(tuner, restored):
    class Broken(FakeExecutor):
        @mt.hookimpl
        def launch(self, run, trial):
            if trial.number == 1:
                raise OSError("no more processes")
            super().launch(run, trial)

    with pytest.raises(mt.PluginError, match="executor 'Broken' failed in launch for trial 00001: OSError: no more proc"):
        tuner(executor=Broken(), num_samples=3).fit()
    assert [trial.state for trial in restored().fit()] == ["COMPLETED"] * 3


def test_each_launch_is_an_attempt_with_a_number_of_its_own(scripted):
    run, executor = scripted(max_failures=2)
    for _ in range(2):
        executor.exits("00000", "error")
        run.step()
    assert [(trial.state, trial.attempt) for trial in executor.launched] == [("RUNNING", 1), ("RUNNING", 2), ("RUNNING", 3)]


def test_every_trial_that_reported_is_steered_with_its_decision(scripted):
    answers = {"00001": mt.Pause("rung"), "00002": mt.Stop("bad")}
    scheduler = FakeScheduler(decide=lambda trial, result: answers.get(trial.id))
    run, executor = scripted(slots=3, num_samples=3, scheduler=scheduler)
    for trial_id in ("00000", "00001", "00002"):
        executor.reports(trial_id, 1, loss=1.0)
    run.step()
    assert executor.steered == [("00000", mt.Continue()), ("00001", mt.Pause("rung")), ("00002", mt.Stop("bad"))]


def test_an_executor_that_fails_in_steer_stops_the_run_with_the_decision_on_disk(tuner, opened, journalled):
    class Broken(ScriptedExecutor):
        @mt.hookimpl
        def steer(self, trial, decision):
            raise BrokenPipeError("gone")

    executor = Broken()
    run = opened(tuner(executor=executor, scheduler=FakeScheduler(decide=lambda trial, result: mt.Stop("bad"))))
    run.step()
    executor.reports("00000", 1, loss=1.0)
    with pytest.raises(mt.PluginError, match="executor 'Broken' failed in steer for trial 00000: BrokenPipeError: gone"):
        run.step()
    assert [event.body["state"] for event in journalled("ended")] == ["STOPPED"]


def saves(config):
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, 4):
        with mt.checkpoint_dir() as folder:
            (folder / "step").write_text(str(step))
            mt.report(loss=1.0, checkpoint=folder)


def saves_nothing(config):
    for _ in range(3):
        mt.report(loss=1.0)


class PausesOnce:
    """Each trial at its second iteration, and resumes it at once."""

    def __init__(self):
        self.paused = []

    @mt.hookimpl
    def on_pause(self, trial):
        self.paused.append(trial.id)

    @mt.hookimpl
    def on_start(self, trial):
        if trial.starts > 1:
            self.paused.remove(trial.id)

    @mt.hookimpl
    def decide(self, trial, result):
        return mt.Pause("rung") if trial.starts == 1 and result.training_iteration == 2 else None

    @mt.hookimpl
    def suggest(self):
        return mt.Resume(self.paused[0]) if self.paused else None


class KnowsItsStep:
    """As a recorded curve does: it says that it needs no checkpoint."""

    needs_checkpoint = False

    def __call__(self, config):
        saves_nothing(config)


@pytest.mark.parametrize(("trainable", "times"), [(saves, 0), (saves_nothing, 1), (KnowsItsStep(), 0)])
def test_it_is_said_once_that_paused_trials_start_over_where_they_save_nothing(trainable, times, tuner, caplog):
    results = tuner(trainable, num_samples=3, scheduler=PausesOnce()).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 3
    assert [[row["training_iteration"] for row in trial.history] for trial in results] == [[1, 2, 3]] * 3
    said = [record.getMessage() for record in caplog.records if "from ZERO" in record.getMessage()]
    assert len(said) == times
    for each in said:
        assert each.startswith("trial 00000, paused at iteration 2, is resumed from ZERO")
        assert "saves_nothing has reported no checkpoint" in each
        assert "microtune.checkpoint_dir()" in each
