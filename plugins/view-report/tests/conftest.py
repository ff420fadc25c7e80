"""Runs whose every fact is known: journals written by hand, read through ResultGrid as any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from microtune import Event, ResultGrid, Space, choice, loguniform, uniform

SPACE = Space(
    {
        "lr": loguniform(1e-4, 1.0),
        "opt": choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam"}]),
        "width": choice([16, 32]),
    }
)
SETTINGS: dict[str, Any] = {
    "trainable": "digits:train", "param_space": SPACE.to_json(), "metric": "loss", "mode": "min", "num_samples": 5, "seed": 7,
    "scheduler": "asha:max_t=9",
    "plugins": [
        {"role": "scheduler", "name": "asha", "distribution": "microtune-schedule-asha", "version": "0.1.0",
         "options": {"max_t": 9, "reduction_factor": 3}},
        {"role": "searcher", "name": "random", "distribution": "microtune-search-random", "version": "0.1.0", "options": {}},
    ],
}  # fmt: skip


class Written:
    """A journal in memory. `now` is the clock of what is written next; `reads` counts the events that were read."""

    def __init__(self, **settings: Any) -> None:
        self.list: list[Event] = []
        self.now = 1000.0
        self.reads = 0
        self.last: dict[str, tuple[int, float]] = {}
        self.add("opened", None, version=1, id="r", name="run", kernel="0.1.0", host="vm", pid=1, python="3.11.7",
                 settings={**SETTINGS, **settings})  # fmt: skip

    def events(self, after: int = 0) -> Iterator[Event]:
        for event in self.list[after:]:
            self.reads += 1
            yield event

    def add(self, kind: str, trial: str | None, **body: Any) -> None:
        self.list.append(Event(len(self.list) + 1, self.now, kind, trial, body))

    def start(self, number: int, config: dict[str, Any], **more: Any) -> str:
        trial = f"{number:05}"
        self.add("created", trial, number=number, config=config, **more)
        self.add("launched", trial, attempt=1)
        return trial

    def report(
        self, trial: str, iteration: int, seconds: float = 1.0, checkpoint: str | None = None, **metrics: Any
    ) -> None:
        """After so many seconds."""
        self.now += seconds
        if checkpoint is not None:
            self.add("checkpoint", trial, iteration=iteration, path=checkpoint)
        self.add("result", trial, iteration=iteration, metrics=metrics, time_total_s=float(iteration))

    def end(self, trial: str, state: str = "COMPLETED", reason: str | None = None, **more: Any) -> None:
        self.add("ended", trial, state=state, reason=reason or state.lower(), **more)

    def grid(self, path: str | Path = "/nowhere/run") -> ResultGrid:
        return ResultGrid(path, source=self)


def sgd(lr: float = 0.1, momentum: float = 0.5, width: int = 16) -> dict[str, Any]:
    return {"lr": lr, "opt": {"kind": "sgd", "momentum": momentum}, "width": width}


def adam(lr: float = 0.1, width: int = 16) -> dict[str, Any]:
    return {"lr": lr, "opt": {"kind": "adam"}, "width": width}


FAILURE = {"kind": "error", "message": "ValueError: x", "traceback": 'Traceback:\n  File "a.py", line 1\nValueError: x'}


def a_run(**settings: Any) -> Written:
    """Five trials, one after the other: two come to the end, two are cut at rung 1 and 3, one fails; 20 seconds, no idle."""
    run = Written(**settings)
    for number, (config, losses) in enumerate(
        [(sgd(0.1), [5, 4, 3, 2.5, 2, 1.9, 1.8, 1.7, 1.6]), (adam(0.01), [9]), (adam(0.2, 32), [4, 3, 2.9]),
         (sgd(0.9, 0.9), [8, 7]), (sgd(0.3, 0.2, 32), [4, 3, 2, 1.5, 1])]
    ):  # fmt: skip
        trial = run.start(number, config)
        for iteration, loss in enumerate(losses, start=1):
            run.report(trial, iteration, loss=loss, acc=1 / loss)
        if number == 3:
            run.end(trial, "FAILED", "ValueError: x", failure=FAILURE)
        elif number in (1, 2):
            reason = f"not among the best 1/3 at rung {len(losses)}"
            run.add("decided", trial, decision="stop", reason=reason, by="asha")
            run.end(trial, "STOPPED", reason)
        elif number == 0:
            run.end(trial, "STOPPED", "training_iteration reached max_t=9", finished=True)
        else:
            run.end(trial)
    run.add("closed", None, reason="all 5 trials have been started", finished=True)
    return run


@pytest.fixture
def written() -> Callable[..., Written]:
    """An empty journal."""
    return Written


@pytest.fixture
def run_of_five() -> Callable[..., Written]:
    return a_run
