"""The folder of an experiment, trial by trial. Reads text only: whatever is a pickle stays closed."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from typing import Any

from microtune import PastTrial
from microtune_convert_ray_tune.reports import Reports, read_reports
from microtune_convert_ray_tune.state import State, plain

_FILES = ("params.json", "result.json", "progress.csv", "error.txt")
_ID = re.compile(r"(?:^|_)([0-9a-z]{5,8}_\d{5})(?:_|$)")  # in the name of a folder, unless the user chose that
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def read_trials(folder: str, state: State) -> list[PastTrial]:
    folders = [
        entry.name
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
        if entry.is_dir() and any(os.path.isfile(os.path.join(entry.path, name)) for name in _FILES)
    ]
    waiting = [name for name in state.trials if name not in folders]  # they had not begun
    found = [_trial(os.path.join(folder, name), name, state.trials.get(name, {})) for name in [*folders, *waiting]]
    ids = Counter(trial.id for trial in found)
    return [trial if ids[trial.id] == 1 else trial._replace(id=None) for trial in found]


def _trial(folder: str, name: str, known: dict[str, Any]) -> PastTrial:
    began = _seconds(known.get("start_time"))
    reports = read_reports(folder, began)
    error = _text(os.path.join(folder, "error.txt"))
    status, reason = _ending(known.get("status"), reports, error)
    return PastTrial(
        config=_config(folder, known, reports),
        state=status,
        results=reports.results,
        reason=reason,
        error=error if status == "FAILED" else None,
        began=began,
        ended=_seconds(known.get("last_result_time")),
        id=_id(name, known, reports),
    )


def _seconds(value: Any) -> float | None:
    """Since the epoch. Ray Tune writes -Infinity where there was no result."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _ending(status: str | None, reports: Reports, error: str | None) -> tuple[str, str | None]:
    """The state, and why.

    A trial that the scheduler or a stop criterion ended has `done` in its last line; one whose function came to its end has
    not. Both are TERMINATED to Ray Tune, and a Trainable class that says `done` itself cannot be told from the first.
    """
    done = reports.last.get("done") is True
    if status == "ERROR" or (status is None and error is not None and not done):
        return "FAILED", _last_line(error) or "it failed, and nothing says why"
    if status not in (None, "TERMINATED"):
        return "PENDING", f"it was {status} when Ray Tune wrote down its state"
    if done:
        return "STOPPED", "it was done: by the scheduler, by a stop criterion, or by its own word"
    if reports.results or status is not None:
        return "COMPLETED", None
    return "PENDING", "it reported nothing, and nothing says how it ended"


def _config(folder: str, known: dict[str, Any], reports: Reports) -> dict[str, Any]:
    """params.json is written again when the config is changed, by PBT for instance."""
    text = _text(os.path.join(folder, "params.json"))
    try:
        written = json.loads(text) if text else None
    except ValueError:  # cut off
        written = None
    for config in (written, reports.last.get("config"), plain(known.get("config"))):
        if isinstance(config, dict):
            return {key: _without_nan(value) for key, value in config.items()}
    return {}


def _without_nan(value: Any) -> Any:
    """NaN equals nothing, itself included, so no config has it."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _id(name: str, known: dict[str, Any], reports: Reports) -> str | None:
    found = _ID.search(name)
    for text in (known.get("trial_id"), reports.last.get("trial_id"), found and found[1]):
        if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,100}", text):
            return text
    return None


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _COLOUR.sub("", file.read())
    except OSError:
        return None


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""
