from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from microtune import Event, Facts, Limits, Objective, Result, Space, Trial, uniform


@pytest.fixture
def facts(tmp_path: Any) -> Callable[..., Facts]:
    def make(
        trials: int | None = 20, time: float | None = None, metric: Any = "loss", mode: Any = "min", **more: Any
    ) -> Facts:
        settings: dict[str, Any] = {
            "id": "r", "name": "digits", "path": str(tmp_path / "a run"), "seed": 1, "space": Space({"lr": uniform(0, 1)}),
            "objective": Objective(metric, mode), "num_samples": trials, "limits": Limits(trials=trials, time=time),
            "resources": {"cpu": 1}, "trainable": print, **more,
        }  # fmt: skip
        return Facts(**settings)

    return make


class Telling:
    """Tells a listener (a board or a logger) the life of trials, the way a run does."""

    def __init__(self, run: Facts, listener: Any) -> None:
        self.run = run
        self.listener = listener
        self.trials: dict[int, Trial] = {}
        self.seq = 0
        self._is_board = hasattr(listener, "event")

    def event(self, kind: str, number: int | None = None, /, **body: Any) -> None:
        self.seq += 1
        event = Event(self.seq, self.run.now, kind, None if number is None else f"{number:05}", body)
        if self._is_board:
            self.listener.event(event)
        else:
            self.listener.log(self.run, event)

    def start(self, number: int, config: dict[str, Any] | None = None, *, launch: bool = True) -> None:
        old = self.trials.get(number)
        trial = Trial(f"{number:05}", number, config or {"lr": number / 100})
        if old is not None:
            trial = old._replace(starts=old.starts + 1)
        self.trials[number] = trial
        self.listener.start(trial) if self._is_board else self.listener.on_start(trial)
        self.event("created", number, number=number, config=trial.config)
        if launch:
            self.launch(number)

    def launch(self, number: int) -> None:
        trial = self.trials[number]
        self.trials[number] = trial._replace(state="RUNNING", attempt=trial.attempt + 1)
        self.event("launched", number, attempt=trial.attempt + 1)

    def result(self, number: int, loss: Any, iteration: int = 1, **metrics: Any) -> None:
        trial = self.trials[number] = self.trials[number]._replace(iteration=iteration)
        result = Result({"loss": loss, **metrics}, iteration, float(iteration), self.run.now)
        self.listener.result(trial, result) if self._is_board else self.listener.on_result(trial, result)
        self.event("result", number, iteration=iteration, metrics=result.metrics, time_total_s=result.time_total_s)

    def end(self, number: int, state: str = "COMPLETED", reason: str = "completed", *, log: bool = True) -> None:
        trial = self.trials[number] = self.trials[number]._replace(state=state, reason=reason)
        self.listener.end(trial) if self._is_board else self.listener.on_end(self.run, trial)
        if log:
            self.event("ended", number, state=state, reason=reason)


@pytest.fixture
def telling() -> type[Telling]:
    return Telling
