"""The contract of a scheduler."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from microtune import (
    Batch,
    Exited,
    Facts,
    Failure,
    Modifier,
    OptionError,
    PluginError,
    ResultGrid,
    Start,
    Stop,
    StopRun,
    Trial,
    Tuner,
    Wait,
    hookimpl,
    uniform,
)
from microtune.testing.contract import Contract, finish, killed
from microtune.testing.fakes import FakeExecutor, FakeSearcher
from microtune.testing.trainables import (
    bowl,
    curve,
    curve_without_checkpoints,
    half_blind_curve,
    mirrored_curve,
    pair,
    ragged_curve,
)

OVER = {"COMPLETED", "STOPPED", "FAILED"}


class OneAtATime:
    """A searcher that answers Wait until its last trial has reported."""

    def __init__(self) -> None:
        self._silent: set[str] = set()

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start | Wait:
        return Wait("the last trial has not reported yet") if self._silent else Start(run.space.sample(rng))

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts == 1:
            self._silent.add(trial.id)

    @hookimpl
    def on_result(self, trial: Trial) -> None:
        self._silent.discard(trial.id)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._silent.discard(trial.id)


class EndsTheRun:
    """A stop rule that ends the run at a certain result, whoever reports it."""

    def __init__(self, at: int) -> None:
        self._left = at

    @hookimpl
    def on_result(self) -> None:
        self._left -= 1

    @hookimpl
    def decide(self) -> StopRun | None:
        return None if self._left else StopRun("on purpose")


class LosesTrials(Modifier):
    """An executor in front of the fake one, which loses every so many a worker that has just reported."""

    def __init__(self, inner: Any, *, every: int) -> None:
        super().__init__(inner)
        self._every = every
        self._count = 0
        self._trials: dict[str, Trial] = {}

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        self._trials[trial.id] = trial
        super().launch(run, trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch | None:
        batch = super().wait(run, until)
        if batch is None or not batch.reports or isinstance(batch.reports[-1], Exited):
            return batch
        self._count += 1
        return self._lose(run, batch, batch.reports[-1].trial_id) if self._count % self._every == 0 else batch

    def _lose(self, run: Facts, batch: Batch, trial_id: str) -> Batch:
        self.inner.steer(run=run, trial=self._trials[trial_id], decision=Stop("lost"))
        reports = list(batch.reports)
        while not (isinstance(reports[-1], Exited) and reports[-1].trial_id == trial_id):
            batch = self.inner.wait(run=run, until=math.inf)  # others may report in between
            reports += batch.reports
        reports[-1] = reports[-1]._replace(failure=Failure("lost", "lost on purpose"), checkpoint=None, iteration=None)
        return batch._replace(reports=reports)


class SchedulerContract(Contract):
    """What any scheduler keeps. Trials here train for 27 iterations, so give options that suit, such as max_t=27.

    pauses: some trials of a run may be PAUSED when it ends, and only these.
    needs_checkpoints: trials that write none are refused, in the scheduler's own words.
    exact_resume: a run that is killed and resumed makes the same decisions as one that was not.
    samples: the number of trials of the runs.
    """

    role = "scheduler"
    pauses: ClassVar[bool] = False
    needs_checkpoints: ClassVar[bool] = False
    exact_resume: ClassVar[bool] = True
    samples: ClassVar[int] = 18

    def tuner(self, trainable: Callable[..., Any] = curve, *, workers: int = 1, **more: Any) -> Tuner:
        given = {
            "metric": "loss", "mode": "min", "num_samples": self.samples, "seed": 1, "storage_path": ":memory:", "loggers": (),
            "searcher": FakeSearcher(), "scheduler": self.make(), "executor": FakeExecutor(workers=workers), **more,
        }  # fmt: skip
        return Tuner(trainable, param_space={"x": uniform(0, 1)}, **given)

    def restore(self, path: Path, workers: int = 1, **changes: Any) -> Tuner:
        given = {"searcher": FakeSearcher(), "scheduler": self.make(), "executor": FakeExecutor(workers=workers), **changes}
        return Tuner.restore(path, **given)

    def check(self, results: ResultGrid, samples: int | None = None) -> None:
        """The run is over, and so is every trial that is not paused."""
        assert len(results) == (samples or self.samples)
        for trial in results:
            assert trial.state in OVER or (self.pauses and trial.state == "PAUSED"), f"trial {trial.id} is left {trial.state}"

    # --- any run ends ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("workers", [1, 2, 5])
    @pytest.mark.parametrize("trainable", [curve, ragged_curve, bowl], ids=lambda f: f.__name__)
    def test_a_run_ends_whatever_its_trials_do(self, trainable: Callable[..., Any], workers: int, tmp_path: Path) -> None:
        self.check(finish(self.tuner(trainable, workers=workers, storage_path=tmp_path)))

    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_trials_without_checkpoints_start_over_or_are_refused(self, workers: int, tmp_path: Path) -> None:
        tuner = self.tuner(curve_without_checkpoints, workers=workers, storage_path=tmp_path)
        if self.needs_checkpoints:
            with pytest.raises(PluginError, match="checkpoint"):
                finish(tuner)
        else:
            self.check(finish(tuner))

    def test_a_run_of_one_trial_ends(self, tmp_path: Path) -> None:
        self.check(finish(self.tuner(num_samples=1, storage_path=tmp_path)), 1)

    def test_a_run_ends_when_the_searcher_has_no_more(self, tmp_path: Path) -> None:
        searcher = FakeSearcher(configs=[{"x": x / 5} for x in range(5)])
        self.check(finish(self.tuner(searcher=searcher, workers=2, storage_path=tmp_path)), 5)

    def test_a_run_ends_when_the_searcher_waits_for_results(self, tmp_path: Path) -> None:
        self.check(finish(self.tuner(searcher=OneAtATime(), workers=3, storage_path=tmp_path)))

    def test_failed_attempts_may_be_retried(self, tmp_path: Path) -> None:
        self.check(finish(self.tuner(ragged_curve, workers=2, max_failures=2, storage_path=tmp_path)))

    def test_a_stop_rule_may_be_faster(self, tmp_path: Path) -> None:
        results = finish(self.tuner(workers=2, stop={"training_iteration": 5}, storage_path=tmp_path))
        self.check(results)
        assert max(trial.metrics["training_iteration"] for trial in results) <= 5

    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("every", [2, 3, 9])
    def test_workers_may_be_lost_at_any_report(self, every: int, workers: int, tmp_path: Path) -> None:
        executor = LosesTrials(FakeExecutor(workers=workers), every=every)
        self.check(finish(self.tuner(executor=executor, storage_path=tmp_path)))

    # --- what it prefers ---------------------------------------------------------------------------------------------

    def test_the_best_trial_trains_the_longest(self, tmp_path: Path) -> None:
        results = finish(self.tuner(storage_path=tmp_path))
        reached = [trial.metrics["training_iteration"] for trial in results]
        best = min(results, key=lambda trial: (trial.config["x"] - 0.3) ** 2)
        assert best.metrics["training_iteration"] == max(reached)

    def test_a_trial_that_had_all_of_its_training_is_finished(self, tmp_path: Path) -> None:
        """A limit of the scheduler's own, such as max_t, is told with Stop(..., finished=True): searchers learn from it."""
        results = finish(self.tuner(storage_path=tmp_path))
        ended = [trial for trial in results if trial.state in OVER]
        longest = max(trial.metrics["training_iteration"] for trial in ended)
        trained = [trial for trial in ended if trial.metrics["training_iteration"] == longest]
        assert any(trial.finished for trial in trained), f"none of {longest} iterations is finished: {trained[0].reason}"

    @pytest.mark.parametrize("workers", [1, 3])
    def test_trials_without_a_number_train_no_longer_than_the_others(self, workers: int, tmp_path: Path) -> None:
        results = finish(self.tuner(half_blind_curve, workers=workers, storage_path=tmp_path))
        reached = [trial.metrics["training_iteration"] for trial in results]
        assert sum(reached[1::2]) <= sum(reached[0::2])
        assert max(reached[1::2]) <= max(reached[0::2])

    def test_min_and_max_are_mirror_images(self, tmp_path: Path) -> None:
        low = finish(self.tuner(curve, mode="min", storage_path=tmp_path))
        high = finish(self.tuner(mirrored_curve, mode="max", storage_path=tmp_path))
        assert outcome(low) == outcome(high)

    def test_several_objectives_are_refused_or_handled(self) -> None:
        tuner = self.tuner(pair, metric=["loss", "size"], mode=["min", "max"])
        try:
            results = finish(tuner)
        except OptionError:
            return  # in setup, in the scheduler's own words
        self.check(results)

    # --- resuming ----------------------------------------------------------------------------------------------------

    def test_the_same_seed_decides_the_same(self, tmp_path: Path) -> None:
        first, second = (finish(self.tuner(workers=3, storage_path=tmp_path)) for _ in range(2))
        assert outcome(first) == outcome(second)

    @pytest.mark.parametrize("turns", [1, 20, 70, 150, 250])
    def test_a_killed_run_goes_on_as_if_it_had_not_been(self, turns: int, tmp_path: Path) -> None:
        image = killed(self.tuner(storage_path=tmp_path, name="run"), turns, tmp_path)
        resumed = finish(self.restore(image))
        self.check(resumed)
        if self.exact_resume:
            assert outcome(resumed) == outcome(finish(self.tuner(storage_path=tmp_path)))

    @pytest.mark.parametrize("turns", [5, 30, 61])
    def test_a_killed_run_of_several_workers_comes_to_its_end(self, turns: int, tmp_path: Path) -> None:
        image = killed(self.tuner(ragged_curve, workers=4, storage_path=tmp_path, name="run"), turns, tmp_path)
        self.check(finish(self.restore(image, workers=4)))

    @pytest.mark.parametrize("results", [1, 9, 27, 40])
    def test_a_run_that_a_stop_rule_ended_goes_on(self, results: int, tmp_path: Path) -> None:
        finish(self.tuner(workers=3, stop=EndsTheRun(results), storage_path=tmp_path, name="run"))
        self.check(finish(self.restore(tmp_path / "run", workers=3, stop=None)))

    @pytest.mark.parametrize("turns", [1, 3, 11, 60])
    def test_it_joins_a_run_that_had_no_scheduler(self, turns: int, tmp_path: Path) -> None:
        image = killed(self.tuner(workers=3, scheduler=None, storage_path=tmp_path, name="run"), turns, tmp_path)
        self.check(finish(self.restore(image, workers=3)))

    def test_a_finished_run_can_be_extended(self, tmp_path: Path) -> None:
        finish(self.tuner(storage_path=tmp_path, name="run", num_samples=self.samples - 5))
        self.check(finish(self.restore(tmp_path / "run", num_samples=self.samples)))


def outcome(results: ResultGrid) -> list[tuple[Any, ...]]:
    """What happened to each trial: its config, its end, and the iterations that it reported."""
    histories = results.histories()
    return [
        (trial.config, trial.state, [row["training_iteration"] for row in histories.get(trial.id, ())]) for trial in results
    ]
