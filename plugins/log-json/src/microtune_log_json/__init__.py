"""The journal of a run as JSON lines, in its folder."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from microtune import Event, Facts, RunError, hookimpl
from microtune_log_json.lines import Lines

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class JsonLogger:
    """Writes every event of the journal as one line of events.jsonl in the folder of the run.

    A line is {"seq", "at", "kind", "trial"} and what the event of that kind says, as strict JSON: a number that JSON lacks is
    the string "NaN", "Infinity" or "-Infinity". Each event is in the file before `log` returns, and there once.
    """

    def __init__(self) -> None:
        self._lines: Lines | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        os.makedirs(run.path, exist_ok=True)
        self._lines = Lines(os.path.join(run.path, "events.jsonl"))
        if self._lines.seq and not run.resumed:
            self._lines.close()
            raise RunError(f"{self._lines.path!r} holds events of another run, and this one is new: move it away")

    @hookimpl
    def log(self, event: Event) -> None:
        assert self._lines is not None
        seq, at, kind, trial, body = event
        line = {"seq": seq, "at": at, "kind": kind, "trial": trial, **body}
        try:
            text = _encode(line)
        except ValueError:
            text = _encode(_spell(line))
        self._lines.write(seq, text)

    @hookimpl
    def teardown(self) -> None:
        if self._lines is not None:
            self._lines.close()


def _spell(value: Any) -> Any:
    """NaN and infinities as strings, the way protocol buffers spell them in JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _spell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell(item) for item in value]
    return value
