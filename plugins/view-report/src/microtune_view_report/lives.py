"""The life of a trial, as the figures draw it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from microtune import Result

# What a scheduler says of its rungs, it says in its reasons: "not among the best 1/4 at rung 9", "at rung 3 of bracket 2".
_RUNG = re.compile(r"\brung (\d+(?:\.\d+)?)(?: of bracket (\d+))?\b")


class Place(NamedTuple):
    """A rung of a bracket; -1: the scheduler names no bracket."""

    level: float
    bracket: int


class Donor(NamedTuple):
    """Whose checkpoint it is, and of which iteration."""

    trial: str
    iteration: int


class Spell(NamedTuple):
    """A time on a worker, in elapsed seconds, and how it ended."""

    began: float
    ended: float
    how: str


@dataclass(slots=True)
class Line:
    """What a trial did with one config: a trial that takes over another one's checkpoint begins a new line.

    `Result.at` is in elapsed seconds.
    """

    config: dict[str, Any]
    began: int  # iteration
    donor: Donor | None = None
    results: list[Result] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    """One process that ran the run: the clock when it opened, and its part of the elapsed time."""

    opened_at: float
    began: float
    ended: float

    def clock(self, at: float) -> float:
        return max(self.began, self.began + at - self.opened_at)

    def seen(self, at: float) -> None:
        self.ended = max(self.ended, self.clock(at))


class Life:
    """A trial from its creation to its end, or until now."""

    __slots__ = ("failures", "finished", "id", "launched", "lines", "number", "places", "reason", "spells", "state")

    def __init__(self, trial_id: str, number: int, config: dict[str, Any], iteration: int) -> None:
        self.id = trial_id
        self.number = number
        self.state = "PENDING"
        self.reason: str | None = None
        self.finished = False  # stopped or not, it had all of its training
        self.lines = [Line(config, iteration)]
        self.spells: list[Spell] = []
        self.launched: float | None = None  # since when it is on a worker
        self.places: dict[Place, None] = {}  # the rungs at which it was judged, in order
        self.failures: list[dict[str, Any]] = []

    @property
    def config(self) -> dict[str, Any]:
        return self.lines[-1].config

    @property
    def results(self) -> list[Result]:
        return [result for line in self.lines for result in line.results]

    @property
    def last(self) -> Result | None:
        return next((line.results[-1] for line in reversed(self.lines) if line.results), None)

    @property
    def iteration(self) -> int:
        return self.last.training_iteration if self.last else self.lines[-1].began

    @property
    def stopped_at(self) -> Place | None:
        """The rung at which the scheduler ended it."""
        return rung_in(self.reason) if self.state == "STOPPED" else None

    @property
    def fate(self) -> str:
        """How it ended, in words for a legend: "completed", "stopped at rung 9", ..."""
        if self.finished:
            return "completed"
        if self.state != "STOPPED":
            return "waiting" if self.state == "PENDING" else self.state.lower()
        place = self.stopped_at
        return f"stopped at rung {place.level:g}" if place else "stopped"

    def at_rung(self, place: Place | None) -> None:
        if place is not None:
            self.places[place] = None

    def branch(self, config: dict[str, Any], iteration: int, donor: Donor | None) -> None:
        self.lines.append(Line(config, iteration, donor))

    def leave(self, now: float, how: str) -> None:
        if self.launched is not None:
            self.spells.append(Spell(self.launched, now, how))
            self.launched = None

    def failed(self, failure: dict[str, Any] | None) -> None:
        if failure is not None:
            self.failures.append(failure)


def rung_in(reason: str | None) -> Place | None:
    """The rung that a reason speaks of."""
    found = _RUNG.search(reason or "")
    return Place(float(found[1]), int(found[2] or -1)) if found else None
