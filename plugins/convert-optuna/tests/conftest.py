"""Runs that were recorded, for no executor is needed to have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import microtune as mt
from microtune import PastTrial, Result, record_run

SPACE = {
    "lr": mt.loguniform(1e-5, 1e-1), "momentum": mt.quniform(0.0, 0.9, 0.1), "width": mt.qlograndint(8, 64, 8),
    "layers": mt.randint(1, 5), "act": mt.choice(["relu", "tanh", None]), "sizes": mt.choice([[8], [8, 8]]),
    "flag": mt.choice([True, 1, 0]), "shift": mt.randn(0.0, 1.0), "fixed": 7,
    "opt": mt.choice([{"kind": "sgd", "nesterov": mt.choice([True, False])}, {"kind": "adam", "beta": mt.uniform(0.8, 1.0)}]),
}  # fmt: skip


def config(number: int) -> dict[str, Any]:
    opt = {"kind": "sgd", "nesterov": True} if number % 2 else {"kind": "adam", "beta": 0.8 + number / 100}
    return {
        "lr": 10.0 ** -(1 + number % 4), "momentum": number % 10 / 10, "width": 8 * (1 + number % 8), "layers": 1 + number % 4,
        "act": ["relu", "tanh", None][number % 3], "sizes": [[8], [8, 8]][number % 2], "flag": [True, 1, 0][number % 3],
        "shift": 7.5 if number == 0 else number / 10, "fixed": 7, "opt": opt,
    }  # fmt: skip


def results(*losses: float, began: float) -> list[Result]:
    return [Result({"loss": v, "eval": {"acc": 1 - v}}, i, float(i), began + i) for i, v in enumerate(losses, 1)]


TRIALS = [
    PastTrial(config(0), "COMPLETED", results(0.9, 0.5, 0.25, began=1e9), began=1e9, ended=1e9 + 4),
    PastTrial(config(1), "STOPPED", results(0.95, began=1e9 + 1), "below the median", began=1e9 + 1, ended=1e9 + 2),
    PastTrial(config(2), "FAILED", [], "ValueError: no", "Traceback\nValueError: no", began=1e9 + 2, ended=1e9 + 3),
    PastTrial(config(3), "COMPLETED", results(0.8, 0.125, began=1e9 + 3), began=1e9 + 3, ended=1e9 + 5.5),
    PastTrial(config(4), "PENDING", results(0.7, began=1e9 + 4), began=1e9 + 4),
]


@pytest.fixture
def past() -> SimpleNamespace:
    """What the run of `run` was recorded from."""
    return SimpleNamespace(config=config, results=results, trials=TRIALS)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., mt.ResultGrid]:
    """A run with a trial in every state."""

    def make(name: str = "run", trials: Any = tuple(TRIALS), **given: Any) -> mt.ResultGrid:
        settings = {"metric": "loss", "mode": "min", "param_space": SPACE, "source": "a test", **given}
        return record_run(tmp_path / name, trials=trials, **settings)

    return make
