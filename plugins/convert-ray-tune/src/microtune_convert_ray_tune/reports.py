"""What a trial reported: result.json, a JSON object a line, or progress.csv where there is none."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, overload

from microtune import Result

say = logging.getLogger("microtune")

# What Ray Tune adds to every result.
_OWN = frozenset(
    {
        "checkpoint_dir_name", "config", "date", "done", "experiment_id", "experiment_tag", "hostname",
        "iterations_since_restore", "node_ip", "pid", "should_checkpoint", "time_since_restore", "time_this_iter_s",
        "time_total_s", "timestamp", "timesteps_since_restore", "training_iteration", "trial_id", "warmup_time",
    }
)  # fmt: skip


class Reports(NamedTuple):
    results: list[Result]
    last: dict[str, Any]  # the last line as it stands there; empty where there is none


def read_reports(folder: str, began: float | None) -> Reports:
    """In order. Of what was reported again after a restart, the later one counts. `began`: seconds since the epoch."""
    results: list[Result] = []
    last: dict[str, Any] = {}
    for line in _lines(folder):
        last = line
        iteration = int(_number(line.get("training_iteration"), len(results) + 1))
        while results and results[-1].training_iteration >= iteration:
            results.pop()
        seconds = _number(line.get("time_total_s"), 0.0)
        at = _moment(_number(line.get("timestamp"), None), None if began is None else began + seconds)
        metrics = {key: value for key, value in line.items() if key not in _OWN and not key.startswith("config/")}
        results.append(Result(metrics, iteration, seconds, at, _checkpoint(folder, line)))
    return Reports(results, last)


def _lines(folder: str) -> Iterator[dict[str, Any]]:
    path = os.path.join(folder, "result.json")
    if os.path.isfile(path) and os.path.getsize(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from _objects(file, path)
    elif os.path.isfile(path := os.path.join(folder, "progress.csv")):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                yield {key: _value(text) for key, text in row.items() if key is not None and text not in ("", None)}


def _objects(lines: Iterable[str], path: str) -> Iterator[dict[str, Any]]:
    """NaN and Infinity are numbers to Python. A line that is cut off, since its writer was killed, is passed over."""
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
        except ValueError:
            if line.strip():
                say.warning("%s: line %d is no JSON, and is passed over", path, number)
            continue
        if isinstance(found, dict):
            yield found


def _value(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)  # nan and inf too
        except ValueError:
            pass
    return text


@overload
def _number(value: Any, default: float) -> float: ...
@overload
def _number(value: Any, default: None) -> float | None: ...
def _number(value: Any, default: float | None) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else default


def _moment(timestamp: float | None, expected: float | None) -> float:
    """Ray Tune notes whole seconds; the rest is taken from how long the trial has run, as far as that fits."""
    if timestamp is None:
        return expected or 0.0
    return timestamp if expected is None else min(max(expected, timestamp), timestamp + 0.999)


def _checkpoint(folder: str, line: dict[str, Any]) -> str | None:
    """Its folder, if that is still there: Ray Tune deletes those that are not kept."""
    name = line.get("checkpoint_dir_name")
    if not isinstance(name, str) or os.path.basename(name) != name:
        return None
    path = os.path.join(folder, name)
    return path if os.path.isdir(path) else None
