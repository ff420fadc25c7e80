"""A simulated run and the events that were told of it; a scheduler that pauses, resumes and stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import microtune as mt
from microtune.testing import FakeLogger, FakeSearcher
from microtune_execute_simulated import SimulatedExecutor


class Told(NamedTuple):
    """What a run was, event by event."""

    results: mt.ResultGrid
    events: list[mt.Event]

    def of(self, *kinds: str) -> list[mt.Event]:
        return [event for event in self.events if event.kind in kinds]

    def times(self, kind: str, trial: str | None = None) -> list[float]:
        return [event.at for event in self.of(kind) if trial in (None, event.trial)]


def tuner(trainable: Any, executor: Any = None, **more: Any) -> mt.Tuner:
    given = {
        "param_space": {"x": mt.uniform(0, 1)}, "metric": "loss", "mode": "min", "num_samples": 3, "seed": 1, "loggers": (),
        "searcher": FakeSearcher(), "storage_path": ":memory:", "name": "run", **more,
    }  # fmt: skip
    return mt.Tuner(trainable, executor=executor or SimulatedExecutor(), **given)


@pytest.fixture
def make() -> Callable[..., mt.Tuner]:
    """A tuner of this trainable, on this executor."""
    return tuner


@pytest.fixture
def simulate() -> Callable[..., Told]:
    """simulate(trainable, workers=2, seconds=..., told={what Tuner gets})"""

    from microtune.testing.contract import finish  # not before test_contract.py, whose asserts are to show their values

    def run(trainable: Any, told: dict[str, Any] | None = None, **options: Any) -> Told:
        logger = FakeLogger()
        results = finish(tuner(trainable, SimulatedExecutor(**options), loggers=[logger], **(told or {})))
        return Told(results, logger.events)

    return run


class Halving:
    """Pauses every trial at certain steps; resumes the best of those that wait there once there are two, and stops the other.

    What the run leaves waiting at its end is resumed one by one.
    """

    def __init__(self, *rungs: int) -> None:
        self._rungs = rungs
        self._losses: dict[str, float] = {}
        self._waiting: dict[int, list[tuple[float, str]]] = {rung: [] for rung in rungs}
        self._stopped: set[str] = set()

    @mt.hookimpl
    def suggest(self, run: mt.Facts) -> mt.Resume | mt.Stop | None:
        for waiting in self._waiting.values():
            losers = [trial_id for _, trial_id in waiting if trial_id in self._stopped]
            if losers:
                return mt.Stop("lost", losers[0])
            if len(waiting) >= 2 or (waiting and run.exhausted):
                return mt.Resume(min(waiting)[1])
        return None

    @mt.hookimpl
    def on_result(self, trial: mt.Trial, result: mt.Result) -> None:
        self._losses[trial.id] = result.metrics["loss"]

    @mt.hookimpl
    def decide(self, result: mt.Result) -> mt.Pause | None:
        return mt.Pause("halving") if result.training_iteration in self._rungs else None

    @mt.hookimpl
    def on_pause(self, trial: mt.Trial) -> None:
        self._waiting[trial.iteration].append((self._losses[trial.id], trial.id))

    @mt.hookimpl
    def on_start(self, trial: mt.Trial) -> None:
        if trial.starts > 1:
            rivals = self._leave(trial.id)
            self._stopped |= {trial_id for _, trial_id in rivals}

    @mt.hookimpl
    def on_end(self, trial: mt.Trial) -> None:
        self._leave(trial.id)
        self._stopped.discard(trial.id)

    def _leave(self, trial_id: str) -> list[tuple[float, str]]:
        for waiting in self._waiting.values():
            for entry in waiting:
                if entry[1] == trial_id:
                    waiting.remove(entry)
                    return waiting
        return []


@pytest.fixture
def halving() -> Callable[..., Halving]:
    return Halving
