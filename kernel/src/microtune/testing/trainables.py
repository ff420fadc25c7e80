"""Trainables for the contracts: importable, so that they travel to any worker."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import microtune as mt

ITERATIONS = 27  # of `curve`: three rungs above the first with factor 3


def loss_of(config: Any) -> float:
    """A number in which every value of the config counts, smooth in its numbers."""
    return sum(_distance(value) for value in _leaves(config))


def bowl(config: dict[str, Any]) -> dict[str, Any]:
    return {"loss": loss_of(config)}


def hill(config: dict[str, Any]) -> dict[str, Any]:
    """`bowl` upside down."""
    return {"loss": -loss_of(config)}


def nested(config: dict[str, Any]) -> dict[str, Any]:
    return {"eval": {"the loss": loss_of(config)}, "loss": "none of your business"}


def pair(config: dict[str, Any]) -> dict[str, Any]:
    """Two objectives."""
    return {"loss": loss_of(config), "size": -loss_of(config)}


def unreliable(config: dict[str, Any]) -> dict[str, Any] | None:
    """One after the other: fine, raises, NaN, infinite, too long, silent."""
    turn = mt.get_context().number % 6
    if turn == 1:
        raise ValueError("this trial fails")
    if turn == 4:
        for _ in range(10):
            mt.report(loss=loss_of(config))
    if turn == 5:
        mt.report(something_else=1)
        return None
    return {"loss": {2: math.nan, 3: math.inf}.get(turn, loss_of(config))}


def curve(config: dict[str, Any]) -> None:
    """Falls towards the loss of the config, with a checkpoint at every iteration."""
    _run_curve(config)


def mirrored_curve(config: dict[str, Any]) -> None:
    _run_curve(config, sign=-1)


def curve_without_checkpoints(config: dict[str, Any]) -> None:
    for t in range(1, ITERATIONS + 1):
        mt.report(loss=loss_of(config) + 1 / t)


def half_blind_curve(config: dict[str, Any]) -> None:
    """Every other trial has no number to report."""
    _run_curve(config, sign=math.nan if mt.get_context().number % 2 else 1)


def ragged_curve(config: dict[str, Any]) -> None:
    """Fails, ends early, skips its metric, reports NaN: each trial in its own way."""
    turn = mt.get_context().number % 6
    for t in range(_restored() + 1, ITERATIONS + 1):
        if turn == 1 and t == 5:
            raise ValueError("this trial fails at its fifth iteration")
        if turn == 2 and t == 7:
            return
        loss = {3: math.nan, 4: math.inf}.get(turn, loss_of(config) + 1 / t)
        mt.report({"other": t} if turn == 5 and t % 3 else {"loss": loss}, checkpoint=_saved(t))


def _run_curve(config: dict[str, Any], sign: float = 1) -> None:
    for t in range(_restored() + 1, ITERATIONS + 1):
        mt.report(loss=sign * (loss_of(config) + 1 / t), checkpoint=_saved(t))


def _restored() -> int:
    folder = mt.get_checkpoint()
    return int((folder / "iteration").read_text()) if folder else 0


def _saved(iteration: int) -> Path:
    folder = mt.checkpoint_dir()
    (folder / "iteration").write_text(str(iteration))
    return folder


def _leaves(config: Any) -> Iterator[Any]:
    if isinstance(config, (dict, list)):
        for item in config.values() if isinstance(config, dict) else config:
            yield from _leaves(item)
    else:
        yield config


def _distance(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return math.atan(value - 0.3) ** 2
    return zlib.crc32(repr(value).encode()) % 97 / 97  # not hash(), which differs from process to process
