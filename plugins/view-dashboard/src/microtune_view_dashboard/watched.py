"""A run that is looked at: what is new in its journal is read and folded, and nothing twice."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from microtune import Event, MicrotuneError, Objective, Reader, Space, run_status
from microtune_view_dashboard.trials import Row

JOURNAL = "journal.db"
_RECENT = 60.0  # seconds over which the throughput is taken
_GLANCE = 256  # events between two looks at the clock


class Watched:
    """One run. `version` changes whenever the page would show something else."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.name = os.path.basename(self.path)
        self.key = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]  # the same when the server is started anew
        self._stamp: tuple[Any, ...] | None = None
        self._forget()

    def _forget(self) -> None:
        self.seq = 0
        self.rows: dict[str, Row] = {}  # those that changed last at the end
        self.settings: dict[str, Any] = {}
        self.session: dict[str, Any] = {}
        self.id = ""
        self.closed: dict[str, Any] | None = None
        self.problem: str | None = None
        self.deleted = self.reading = False
        self.columns: dict[str, dict[str, None]] = {"metrics": {}, "config": {}}
        self.objective: Objective | None = None
        self.space: dict[str, str] = {}  # parameter -> its domain, as text
        self.expected: int | None = None  # trials
        self.began: float | None = None
        self.results = 0
        self._before = 0.0  # seconds of the sessions before this one
        self.session_began = self._last_at = 0.0
        self._pace: deque[tuple[float, int]] = deque(maxlen=120)

    @property
    def version(self) -> tuple[Any, ...]:
        return self.seq, self.status()[0], self.problem

    # --- reading -----------------------------------------------------------------------------------------------------

    def poll(self, deadline: float) -> None:
        """Read what was committed since, until `deadline` on the monotonic clock; the rest of a long journal comes next."""
        stamp = _stamp(self.path)
        if stamp is None:
            self.deleted, self.reading = True, False
            self.problem = f"there is no run in {self.path!r} any more: it was moved or deleted"
            self._stamp = None
            return
        if stamp == self._stamp and not self.reading:
            return
        if self._stamp is None or stamp[0] != self._stamp[0] or stamp[1] < self._stamp[1]:  # another file
            self._forget()
        self._stamp = stamp
        self.problem = None
        try:
            reader = Reader(
                self.path
            )  # nothing stays open between two looks: the run can be closed or deleted at any time
            try:
                self._read(reader.events(after=self.seq), deadline)
            finally:
                reader.close()
        except MicrotuneError as error:
            self.problem, self.reading = str(error), False
        except FileNotFoundError:  # deleted in this very moment
            self._stamp = None

    def _read(self, events: Iterator[Event], deadline: float) -> None:
        self.reading = False
        for event in events:
            self._take(event)
            if not event.seq % _GLANCE and time.monotonic() > deadline:
                self.reading = True
                break
        self._pace.append((self._last_at, self.results))
        while self._last_at - self._pace[0][0] > _RECENT:
            self._pace.popleft()

    def _take(self, event: Event) -> None:
        kind, body = event.kind, event.body
        self.seq = event.seq
        if kind in ("opened", "changed"):
            self._begin(event)
        self._last_at = max(self._last_at, event.at)
        if kind == "closed":
            self.closed = body
        elif kind == "created":
            self.rows[str(event.trial)] = row = Row(event)
            self.columns["config"].update(dict.fromkeys(row.config))
        elif event.trial in self.rows:
            row = self.rows.pop(event.trial)
            row.take(event, self.objective)
            self.rows[event.trial] = row
            if kind == "result":
                self.results += 1
                self.columns["metrics"].update(dict.fromkeys(row.metrics))
            elif kind == "resumed":
                self.columns["config"].update(dict.fromkeys(row.config))

    def _begin(self, event: Event) -> None:
        self._before += max(0.0, self._last_at - self.session_began)
        self.session_began = self._last_at = event.at  # a virtual clock may start anew
        self._pace.clear()
        self.began = event.at if self.began is None else self.began
        self.closed = None
        self.session = event.body
        self.id = str(event.body.get("id", self.id))
        self.settings.update(event.body["settings"])
        self.objective = Objective(self.settings["metric"], self.settings["mode"])
        with contextlib.suppress(
            MicrotuneError
        ):  # of an import, or of a space whose functions are gone: shown without it
            space = Space.from_json(self.settings.get("param_space") or {"spec": {}, "constraints": []})
            self.space = {each.name: repr(each.domain) for each in space.parameters()}
            points = self.settings.get("points_to_evaluate") or ()
            self.expected = space.count(self.settings.get("num_samples"), points) if self.space else None

    # --- what the page shows -----------------------------------------------------------------------------------------

    def status(self) -> tuple[str, str | None]:
        """One of deleted, damaged, reading, empty, running, finished, interrupted, failed, killed; and why."""
        if self.deleted:
            return "deleted", self.problem
        if self.problem:
            return "damaged", self.problem
        if self.reading:
            return "reading", None
        return run_status(self.closed, self.session)

    def summary(self) -> dict[str, Any]:
        states: dict[str, int] = {}
        for row in self.rows.values():
            states[row.state] = states.get(row.state, 0) + 1
        status, reason = self.status()
        return {
            "key": self.key, "name": self.name, "path": self.path, "status": status, "reason": reason, "began": self.began,
            "metric": self.settings.get("metric"), "mode": self.settings.get("mode"), "trials": len(self.rows),
            "states": states, "expected": self.expected, "best": self._best(),
            "elapsed": self._before + self._last_at - self.session_began, "results": self.results,
            "per_minute": self._per_minute(), "seq": self.seq,
        }  # fmt: skip

    def changes(self, after: int) -> list[dict[str, Any]]:
        """The rows that changed since the event `after`."""
        found = []
        for row in reversed(self.rows.values()):
            if row.seq <= after:
                break
            found.append(row.as_json())
        return found

    def _best(self) -> list[dict[str, Any]]:
        """Of each metric of the objective the best last result, the earliest of equals."""
        found = []
        for i, metric in enumerate(self.objective.metrics if self.objective else ()):
            scored = [(row.scores[i], -row.number, row) for row in self.rows.values() if row.scores]
            score, _, row = max(scored, default=(-math.inf, 0, None), key=lambda each: each[:2])
            if row is not None and math.isfinite(score):
                mode = self.objective.modes[i] if self.objective else "max"
                found.append({"metric": metric, "value": score if mode == "max" else -score, "trial": row.id})
        return found

    def _per_minute(self) -> float | None:
        """Results, by the executor's clock, over the last minute of it."""
        if len(self._pace) < 2 or self._pace[-1][0] <= self._pace[0][0]:
            return None
        (since, before), (until, now) = self._pace[0], self._pace[-1]
        return 60 * (now - before) / (until - since)


def _stamp(path: str) -> tuple[Any, ...] | None:
    """What changes with every commit; None where there is no journal. The first item is another for another file."""
    try:
        file = os.stat(os.path.join(path, JOURNAL))
    except OSError:
        return None
    try:
        log = os.stat(os.path.join(path, f"{JOURNAL}-wal"))
        written: tuple[int, ...] = (log.st_size, log.st_mtime_ns)
    except OSError:
        written = ()
    return (file.st_dev, file.st_ino), file.st_size, file.st_mtime_ns, written
