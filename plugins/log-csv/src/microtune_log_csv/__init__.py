"""What happened in a run, as CSV files in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from microtune import Event, Facts, RunError, hookimpl
from microtune_log_csv.table import Table

_STATE = {
    "created": "PENDING",
    "resumed": "PENDING",
    "launched": "RUNNING",
    "interrupted": "PENDING",
    "decided": "PAUSED",
}


class CsvLogger:
    """Writes results.csv, configs.csv and trials.csv into the folder of the run, a row for each value.

    Every event is in the files before `log` returns, so no row is lost however the process ends; on a resume the last
    event's rows are written again if they come again, so none is there twice.
    """

    def __init__(self) -> None:
        self._tables: list[Table] = []

    @hookimpl
    def setup(self, run: Facts) -> None:
        os.makedirs(run.path, exist_ok=True)
        try:
            self._open(run)
        except BaseException:
            self.teardown()
            raise
        self._results, self._configs, self._trials = self._tables

    def _open(self, run: Facts) -> None:
        for name, columns in (
            ("results.csv", ("seq", "at", "trial", "training_iteration", "time_total_s", "metric", "value", "text")),
            ("configs.csv", ("seq", "at", "trial", "parameter", "value", "text")),
            ("trials.csv", ("seq", "at", "trial", "state", "reason")),
        ):
            table = Table(os.path.join(run.path, name), columns)
            self._tables.append(table)
            if table.seq and not run.resumed:
                raise RunError(f"{table.path!r} holds rows of another run, and this one is new: move it away")

    @hookimpl
    def log(self, event: Event) -> None:
        seq, at, kind, trial, body = event
        if kind == "result":
            if not body.get("repeat"):  # at an iteration that has its rows already
                head = (seq, at, trial, body["iteration"], body["time_total_s"])
                self._results.write(seq, [(*head, name, *_spell(value)) for name, value in _flat(body["metrics"])])
            return
        if "config" in body:
            self._configs.write(seq, [(seq, at, trial, name, *_spell(value)) for name, value in _flat(body["config"])])
        if kind == "ended":
            self._trials.write(seq, [(seq, at, trial, body["state"], body["reason"])])
        elif kind in _STATE and body.get("decision", "pause") == "pause":
            self._trials.write(seq, [(seq, at, trial, _STATE[kind], body.get("reason"))])

    @hookimpl
    def teardown(self) -> None:
        for table in self._tables:
            table.close()


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested names joined with slashes; lists stay in one piece."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _spell(value: Any) -> tuple[Any, str]:
    """(value, text): a number goes into the column of numbers, all else into that of text, a boolean into both."""
    if isinstance(value, bool):
        return int(value), str(value)
    if isinstance(value, (int, float)):
        return value, ""
    if value is None or isinstance(value, str):
        return "", value or ""
    return "", json.dumps(value)
