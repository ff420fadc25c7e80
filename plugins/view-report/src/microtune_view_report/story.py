"""What the figures know of a run: its journal read once, and only what is new when they ask again."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

from microtune import Event, Objective, Result, ResultGrid, RunError, Space
from microtune_view_report.lives import Donor, Life, Session, rung_in


class Story:
    """The fold of a run's events, for looking at. Time is `elapsed`: seconds of the sessions, end to end, from the first event.

    `checkpoints` says which trial had written a checkpoint, and at which iteration, so that who takes it over is known.
    """

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.lives: dict[str, Life] = {}
        self.sessions: list[Session] = []
        self.faults: list[dict[str, Any]] = []
        self.closed: dict[str, Any] | None = None
        self.first: Event | None = None  # the very first one: when, where and by which kernel the run was begun
        self.last_at = 0.0  # the clock at the last event
        self.checkpoints: dict[str, Donor] = {}
        self._seq = 0
        self._space: tuple[dict[str, Any], Space] | None = None  # as JSON, and read
        self._reading = threading.Lock()  # a server asks from several threads

    def read(self, grid: ResultGrid) -> Story:
        """Take in what the journal has got since the last time."""
        with self._reading:
            for event in grid.events(after=self._seq):
                self._take(event)
                self._seq = event.seq
        if not self.settings:
            raise RunError(f"the run in {grid.path!r} was ended before it began: it has no metric and no trial")
        return self

    @property
    def elapsed(self) -> float:
        return self.sessions[-1].ended if self.sessions else 0.0

    @property
    def objective(self) -> Objective:
        return Objective(self.settings["metric"], self.settings["mode"])

    @property
    def space(self) -> Space:
        """As declared last; a function of it is known by name only."""
        declared = self.settings.get("param_space") or {"spec": {}, "constraints": []}  # an imported run may have none
        if self._space is None or self._space[0] != declared:
            self._space = (declared, Space.from_json(declared))
        return self._space[1]

    @property
    def scheduler(self) -> dict[str, Any] | None:
        """{name, distribution, version, options}, as the journal has it."""
        return next((each for each in self.settings.get("plugins", ()) if each.get("role") == "scheduler"), None)

    def best(self, objective: Objective) -> Life | None:
        """The trial with the best last result, the earliest of equals; None where none has a finite one."""
        lives = [life for life in self.lives.values() if life.last and objective.score(life.last) > float("-inf")]
        return max(lives, key=lambda life: objective.score(life.last or {}), default=None)

    def _take(self, event: Event) -> None:
        kind, body = event.kind, event.body
        if kind in ("opened", "changed"):
            began = self.elapsed
            self.sessions.append(Session(event.at, began, began))
            self.first = self.first or event
            self.settings = {**self.settings, **body["settings"]}
            self.closed = None
            for life in self.lives.values():
                life.leave(began, "interrupted")  # its session was killed
        if self.sessions:
            self.sessions[-1].seen(event.at)
        self.last_at = event.at
        if kind == "closed":
            self.closed = body
        elif kind == "fault":
            self.faults.append({**body, "trial": event.trial})
        elif kind == "created" and event.trial is not None:
            life = Life(event.trial, body["number"], body["config"], body.get("iteration", 0))
            life.lines[0].donor = self.checkpoints.get(body.get("checkpoint", ""))
            self.lives[event.trial] = life
        elif event.trial in self.lives:
            self._live(self.lives[event.trial], event, self.sessions[-1].clock(event.at))

    def _live(self, life: Life, event: Event, now: float) -> None:
        kind, body = event.kind, event.body
        if kind == "result":
            if not body.get("repeat"):
                life.lines[-1].results.append(
                    Result(body["metrics"], body["iteration"], body["time_total_s"], now, body.get("checkpoint"))
                )
        elif kind == "launched":
            life.state, life.launched = "RUNNING", now
        elif kind == "checkpoint":
            self.checkpoints[body["path"]] = Donor(life.id, body["iteration"])
        elif kind == "resumed":
            life.state = "PENDING"
            if "config" in body or "iteration" in body:
                donor = self.checkpoints.get(body.get("checkpoint", ""))
                life.branch(body.get("config", life.config), body.get("iteration", life.iteration), donor)
        elif kind == "decided":
            life.at_rung(rung_in(body["reason"]))
            if body["decision"] == "pause":
                life.state, life.reason = "PAUSED", body["reason"]
                life.leave(now, "paused")
        elif kind == "interrupted":
            life.state, life.reason = "PENDING", body["reason"]
            life.leave(now, "failed" if "failure" in body else "interrupted")
            life.failed(body.get("failure"))
        elif kind == "ended":
            life.state, life.reason = body["state"], body["reason"]
            life.finished = body.get("finished", life.state == "COMPLETED")
            life.at_rung(rung_in(body["reason"]))
            life.leave(now, life.fate)
            life.failed(body.get("failure"))


_stories: WeakKeyDictionary[ResultGrid, Story] = WeakKeyDictionary()


def story_of(grid: ResultGrid) -> Story:
    """The run so far; every figure of a grid shares one, and asking again reads only what is new.

    RunError where the run ended before it began.
    """
    return _stories.setdefault(grid, Story()).read(grid)
