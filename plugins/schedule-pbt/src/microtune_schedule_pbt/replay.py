"""pbt-replay: one trial that follows a schedule of hyperparameters found before."""

from __future__ import annotations

import json
from typing import Any

from microtune import (
    Continue,
    Decision,
    Done,
    Facts,
    OptionError,
    Pause,
    Result,
    Resume,
    RunError,
    Start,
    Stop,
    Suggestion,
    Trial,
    hookimpl,
)

_CONTINUE = Continue()


class PBTReplay:
    """Trains one trial by a schedule of hyperparameters, as `microtune_schedule_pbt.schedule_of` writes it.

    The trial starts with the first config. After as many iterations as the schedule says it pauses, and goes on from its own
    checkpoint with the next config: it must write one there. The searcher proposes nothing.

    replay: path of a JSON file: [[iterations trained before, config], ...], the first one at 0
    max_t: the trial is stopped after this many iterations; None: when it ends itself
    """

    def __init__(self, *, replay: str, max_t: int | None = None) -> None:
        self._schedule = _read(replay)
        self._max_t = max_t
        self._next = 1  # index of the config to come
        self._started = False
        self._paused: str | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        for iteration, config in self._schedule:
            if not run.space.contains(config):
                raise OptionError(
                    f"pbt-replay: the config {config} at iteration {iteration} is not in the run's param_space"
                )

    @hookimpl
    def suggest(self) -> Suggestion:
        if self._paused is not None:
            return Resume(self._paused, config=self._schedule[self._next][1])
        return Done("the schedule has one trial") if self._started else Start(self._schedule[0][1])

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        self._started = True
        if trial.starts > 1:
            self._paused = None
            self._next += 1

    @hookimpl
    def on_pause(self, trial: Trial) -> None:
        self._paused = trial.id

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._paused = None

    @hookimpl
    def decide(self, trial: Trial, result: Result) -> Decision:
        if self._max_t is not None and result.training_iteration >= self._max_t:
            return Stop(f"training_iteration reached max_t={self._max_t}", finished=True)
        if self._next == len(self._schedule) or result.training_iteration < self._schedule[self._next][0]:
            return _CONTINUE
        if result.checkpoint is None:
            raise RunError(
                f"trial {trial.id} is to change its config after iteration {result.training_iteration} and has written no "
                "checkpoint with that report: report(..., checkpoint=folder) wherever the schedule has a change"
            )
        return Pause(f"for the config of iteration {self._schedule[self._next][0]}")


def _read(path: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        with open(path, encoding="utf-8") as file:
            schedule = [(int(iteration), dict(config)) for iteration, config in json.load(file)]
    except (OSError, ValueError, TypeError) as error:
        raise OptionError(
            f"pbt-replay: the schedule {path!r} cannot be read: {error}. It is what schedule_of() gives"
        ) from None
    iterations = [iteration for iteration, _ in schedule]
    if not schedule or iterations[0] != 0 or iterations != sorted(set(iterations)):
        raise OptionError(f"pbt-replay: the schedule {path!r} must begin at iteration 0 and rise; it has {iterations}")
    return schedule
