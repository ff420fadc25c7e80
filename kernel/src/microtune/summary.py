"""What a run looks like from outside. Reads its journal only; runs no code of it."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtune import events as ev
from microtune.faults import MicrotuneError
from microtune.reader import Reader
from microtune.results import ResultGrid
from microtune.schema import FILE
from microtune.trial_result import TrialResult


@dataclass(frozen=True)
class Summary:
    """A run at a glance. status: running, finished, interrupted, failed, killed, empty."""

    grid: ResultGrid
    status: str
    reason: str | None
    began: float | None
    counts: dict[str, int]
    best: TrialResult | None  # None also where there are several metrics

    @property
    def name(self) -> str:
        return os.path.basename(self.grid.path)

    def as_json(self) -> dict[str, Any]:
        settings = self.grid.settings
        return {
            "name": self.name, "path": self.grid.path, "status": self.status, "reason": self.reason, "began": self.began,
            "metric": settings.get("metric"), "mode": settings.get("mode"), "trials": len(self.grid), "states": self.counts,
            "best": self.best and trial_as_json(self.best),
        }  # fmt: skip


def summarise(grid: ResultGrid) -> Summary:
    """A run at a glance, from its journal. MicrotuneError where that cannot be read."""
    counts: dict[str, int] = {}
    for trial in grid:
        counts[trial.state] = counts.get(trial.state, 0) + 1
    began, session = _session(grid.path)
    status, reason = run_status(grid.closed, session)
    return Summary(grid, status, reason, began, counts, best_or_none(grid))


def best_or_none(grid: ResultGrid) -> TrialResult | None:
    if not len(grid):
        return None
    try:
        return grid.get_best_result()
    except MicrotuneError:  # nothing finite was reported, or there are several metrics
        return None


def trial_as_json(trial: TrialResult) -> dict[str, Any]:
    return {
        "id": trial.id, "number": trial.number, "state": trial.state, "reason": trial.reason, "config": trial.config,
        "metrics": trial.metrics, "checkpoint": trial.checkpoint, "error": trial.error, "folder": trial.folder,
    }  # fmt: skip


def _session(path: str) -> tuple[float | None, dict[str, Any]]:
    """When the run began, and what its last session said of itself; nothing for a run in memory."""
    if not os.path.exists(os.path.join(path, FILE)):
        return None, {}
    reader = Reader(path)
    try:
        opened, changed = reader.last(ev.OPENED), reader.last(ev.CHANGED)
    finally:
        reader.close()
    last = changed or opened
    return opened and opened.at, last.body if last else {}


def run_status(closed: dict[str, Any] | None, session: dict[str, Any]) -> tuple[str, str | None]:
    """running, finished, interrupted, failed, killed or empty; and why.

    session: the body of the event that began the last session, opened or changed; {} where there is none. closed: that of the
    event that ended it, or None.
    """
    if closed is not None:
        if "error" in closed:
            return "failed", closed["error"]
        return "finished" if closed["finished"] else "interrupted", closed["reason"]
    if not session:
        return "empty", "its first session ended before it began"
    if session.get("host") != socket.gethostname():
        return "running", f"on {session.get('host')}, as far as its journal says"
    if _is_alive(session["pid"]):
        return "running", f"in process {session['pid']}"
    return "killed", "its process ended without a word; it can be resumed"


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # os.kill(pid, 0) would send Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    try:  # a dead process that its parent has not asked about, as in a container whose first process never does
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
