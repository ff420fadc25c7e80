"""The trials of a run as the rows of a table: the fold of its events, one at a time."""

from __future__ import annotations

from typing import Any

from microtune import Event, Objective

_STATE = {"resumed": "PENDING", "launched": "RUNNING", "interrupted": "PENDING"}
_LONGEST = 200  # characters of a text in a cell; the page of the trial has all of it


class Row:
    """One trial, as of `seq`: the last event that changed it."""

    __slots__ = ("config", "failed", "id", "iteration", "metrics", "number", "reason", "scores", "seq", "state", "time")

    def __init__(self, event: Event) -> None:
        self.id = event.trial
        self.number: int = event.body["number"]
        self.config = flat(event.body["config"])
        self.metrics: dict[str, Any] = {}
        self.state = "PENDING"
        self.reason: str | None = None
        self.iteration: int | None = None
        self.time: float | None = None  # seconds of running
        self.failed = False
        self.scores: tuple[float, ...] = ()  # of its last result, one for each metric of the objective
        self.seq = event.seq

    def take(self, event: Event, objective: Objective | None) -> None:
        kind, body = event.kind, event.body
        self.seq = event.seq
        if kind == "result":
            if not body.get("repeat"):
                self.metrics = flat(body["metrics"])
                self.iteration, self.time = body["iteration"], body["time_total_s"]
                counted = {**body["metrics"], "training_iteration": self.iteration, "time_total_s": self.time}
                self.scores = tuple(objective.scores(counted)) if objective else ()
        elif kind == "ended":
            self.state, self.reason = body["state"], shortened(body["reason"])
            self.failed = "failure" in body
        elif kind == "decided":
            if body["decision"] == "pause":
                self.state, self.reason = "PAUSED", shortened(body["reason"])
        elif kind in _STATE:
            self.state, self.reason = _STATE[kind], shortened(body.get("reason"))
            if "config" in body:
                self.config = flat(body["config"])

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "number": self.number, "state": self.state, "reason": self.reason, "iteration": self.iteration,
            "time": self.time, "metrics": self.metrics, "config": self.config,
        }  # fmt: skip


def flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested dicts as one, names joined with slashes; long texts cut."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found.update(flat(value, f"{before}{name}/"))
        else:
            found[before + name] = shortened(value)
    return found


def shortened(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        text = repr(value)
        return value if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    return f"{value[:_LONGEST]} ..." if isinstance(value, str) and len(value) > _LONGEST else value
