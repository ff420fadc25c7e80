"""The toy problem of the paper, and a run on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher

GRID = [{"h": [1.0, 0.0]}, {"h": [0.0, 1.0]}]
SPACE = {"h": [mt.uniform(0, 1), mt.uniform(0, 1)]}


def climb(config: dict[str, Any]) -> None:
    """Section 4 of Jaderberg et al. 2017: gradient steps on 1.2 - (h0 theta0^2 + h1 theta1^2) from theta = (0.9, 0.9)."""
    folder = mt.get_checkpoint()
    theta = json.loads((folder / "theta").read_text()) if folder else [0.9, 0.9]
    while True:
        theta = [x - 0.01 * 2 * h * x for x, h in zip(theta, config["h"], strict=True)]
        folder = mt.checkpoint_dir()
        (folder / "theta").write_text(json.dumps(theta))
        mt.report(q=1.2 - sum(x * x for x in theta), checkpoint=folder)


def toy(path: Path, scheduler: Any, *, workers: int = 2, **more: Any) -> mt.Tuner:
    given: dict[str, Any] = {
        "param_space": SPACE, "metric": "q", "mode": "max", "num_samples": 2, "seed": 0, "storage_path": path, "name": "run",
        "loggers": (), "checkpoints": {"keep": 1}, "searcher": FakeSearcher(configs=GRID), "scheduler": scheduler,
        "executor": FakeExecutor(workers=workers), **more,
    }  # fmt: skip
    return mt.Tuner(climb, **given)


@pytest.fixture(name="toy")
def toy_fixture() -> Callable[..., mt.Tuner]:
    return toy
