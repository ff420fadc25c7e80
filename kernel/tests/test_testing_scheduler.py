"""The contract of schedulers: two sound ones keep it, one that stops and one that pauses; unsound ones are found."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import SchedulerContract


class Halving:
    """Stops at iteration 9 what is worse than the better half of those that came there before."""

    rung = 9

    def __init__(self) -> None:
        self._scores = []

    @mt.hookimpl
    def setup(self, run):
        self._objective = run.objective.single("halving")

    @mt.hookimpl
    def on_result(self, result):
        if result.training_iteration == self.rung:
            self._scores.append(self._objective.score(result))

    @mt.hookimpl
    def decide(self, result):
        if result.training_iteration != self.rung:
            return None
        median = sorted(self._scores, reverse=True)[(len(self._scores) - 1) // 2]
        return mt.Stop("worse than half") if self._objective.score(result) < median else None


class TestHalving(SchedulerContract):
    plugin = Halving


class Promoting:
    """Pauses each trial at iteration 9, and resumes the better half."""

    rung = 9

    def __init__(self) -> None:
        self._waiting = {}
        self._seen = self._gone = 0

    @mt.hookimpl
    def setup(self, run):
        self._objective = run.objective.single("promoting")

    @mt.hookimpl
    def suggest(self):
        if self._waiting and self._gone < self._seen // 2:
            return mt.Resume(max(self._waiting, key=self._waiting.get))
        return None

    @mt.hookimpl
    def on_start(self, trial):
        self._gone += self._waiting.pop(trial.id, None) is not None

    @mt.hookimpl
    def on_result(self, trial, result):
        self._waiting.pop(trial.id, None)
        if result.training_iteration == self.rung:
            self._seen += 1
            self._waiting[trial.id] = self._objective.score(result)

    @mt.hookimpl
    def decide(self, trial):
        return mt.Pause("at the rung") if trial.id in self._waiting else None

    @mt.hookimpl
    def on_end(self, trial):
        self._waiting.pop(trial.id, None)


class TestPromoting(SchedulerContract):
    plugin = Promoting
    pauses = True


class KeepsStateInDecide(Halving):
    """Counts what no tell can rebuild."""

    @mt.hookimpl
    def on_result(self):
        pass

    @mt.hookimpl
    def decide(self, result):
        if result.training_iteration == self.rung:
            super().on_result(result)
        return super().decide(result)


class PrefersNaN(Halving):
    """Compares as it comes: NaN is never smaller."""

    @mt.hookimpl
    def setup(self, run):
        class Raw:
            def score(self, result):
                return -result.metrics["loss"] if "loss" in result.metrics else 1.0

        self._objective = Raw()


class WaitsForEver:
    """Never resumes whom it paused, and lets nobody else start."""

    @mt.hookimpl
    def decide(self):
        return mt.Pause("for ever")

    @mt.hookimpl
    def suggest(self, run):
        return mt.Wait("for a miracle") if run.now else None


class KeepsItsLimitToItself:
    """Ends every trial at its limit, as if the trial had been cut short."""

    @mt.hookimpl
    def decide(self, result):
        return mt.Stop("max_t reached") if result.training_iteration == 20 else None


@pytest.mark.parametrize(
    ("plugin", "test", "arguments"),
    [
        (KeepsStateInDecide, "test_a_killed_run_goes_on_as_if_it_had_not_been", (150,)),
        (PrefersNaN, "test_trials_without_a_number_train_no_longer_than_the_others", (1,)),
        (KeepsItsLimitToItself, "test_a_trial_that_had_all_of_its_training_is_finished", ()),
        (WaitsForEver, "test_a_run_of_one_trial_ends", ()),
    ],
)
def test_an_unsound_scheduler_is_found(plugin, test, arguments, tmp_path):
    contract = type("Contract", (SchedulerContract,), {"plugin": plugin})()
    with pytest.raises((AssertionError, mt.RunError)):
        getattr(contract, test)(*arguments, tmp_path=tmp_path)
