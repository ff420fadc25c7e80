"""The population, as the tells have it: nothing here is known to `suggest` or `decide` alone."""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections import Counter
from typing import Any, NamedTuple

from microtune import Result, Trial
from microtune_schedule_pbt.ranking import Ranking

WORST = float("-inf")

# (generation or time, score, - number, trial id): who waits, in the order in which they go on
Place = tuple[float, float, int, str]


class Saved(NamedTuple):
    """A checkpoint: how much training it has, and what score."""

    path: str
    generation: int
    time: float
    score: float


class Member:
    """A trial that is not over."""

    __slots__ = (
        "config",
        "copies",
        "due",
        "generation",
        "id",
        "measured",
        "number",
        "own",
        "place",
        "ready",
        "saved",
        "score",
        "starts",
        "time",
    )

    def __init__(self, trial: Trial, time: float, due: float) -> None:
        self.id = trial.id
        self.number = trial.number
        self.starts = trial.starts
        self.config = trial.config
        self.time = time  # how much training it has had
        self.due = due  # how much makes it ready again
        self.generation = 0  # how often it was ready
        self.ready = False  # its last result made it so
        self.score = WORST  # the last one that it reported
        self.measured = False  # since it was ready last
        self.own = False  # its score in its generation is its own, not that of a life that it gave up
        self.saved: Saved | None = None  # what it would restore from, and what others would copy
        self.place: Place | None = None  # while it is paused
        self.copies = False  # it is paused for nothing but to copy another
        if trial.checkpoint is not None:
            self.saved = Saved(trial.checkpoint, 0, time, WORST)


class Population:
    """Who is in it, how they rank, and who waits.

    A generation is those who have been ready as often, their donors' lives included. Synchronous: nobody leaves it before all
    have reached it. Asynchronous: of those who wait the one with the least training goes on first. Of equals the worst does,
    so that donors are still where they were when their copies are made.
    """

    def __init__(self, interval: float, synch: bool) -> None:
        self.members: dict[str, Member] = {}
        self.started = 0  # trials that were launched at least once, or will be
        self._interval = interval
        self._synch = synch
        self._latest = Ranking()  # by the last score of each
        self._rankings: dict[int, Ranking] = {}  # by generation: the score that each had then
        self._generations: Counter[int] = Counter()  # how many members are in each
        self._waiting: list[Place] = []
        self._crowd = 0  # of these, how many for a slot that somebody else has

    def join(self, trial: Trial, time: float, due: float) -> None:
        self.started += 1
        self.members[trial.id] = Member(trial, time, due)
        self._count(0, 1)

    def leave(self, trial: Trial) -> None:
        self.started -= not trial.attempt  # it was infeasible
        member = self.members.pop(trial.id)
        self._release(member)
        self._count(member.generation, -1)
        self._latest.drop(trial.id)  # its generations keep its scores: nobody gets worse because others are done

    def report(self, member: Member, result: Result, time: float | None, score: float | None) -> None:
        """`time`: None where the result does not have it. `score`: None where it does not have the metric."""
        member.ready = False
        if score is not None:
            member.score, member.measured = score, True
        if time is not None:
            member.time = time
            if time >= member.due and result.checkpoint is not None:
                self._turn(member)
        if result.checkpoint is not None:
            member.saved = Saved(result.checkpoint, member.generation, member.time, member.score)
        if score is not None or member.ready:
            self._latest.put(member.id, member.number, member.score)
        if member.ready:
            self._of_generation(member).put(member.id, member.number, member.score)

    def better(self, member: Member, quantile: float) -> list[str]:
        """Whom a member that is ready, or was, copies one of; nobody where it goes on as it is.

        It is compared with the last scores of the others, as in the paper. Those who report early would always come out well:
        so it is compared again at its next reports, with the others' scores after as much training, until that is settled.
        Where members wait for their turn, or for all, only the scores of its generation count.
        """
        if self._in_turn(member):
            return self._of_generation(member).truncation(member.id, quantile)
        found = self._latest.truncation(member.id, quantile) if member.ready else []
        if found or not member.own:
            return found
        return self._of_generation(member).settled(member.id, quantile, len(self.members))

    def opponent(self, member: Member, rng: random.Random) -> list[str]:
        """The same by binary tournament."""
        ranking = self._of_generation(member) if self._in_turn(member) else self._latest
        return ranking.tournament(member.id, rng)

    def _in_turn(self, member: Member) -> bool:
        return self._synch or (self._crowd > 0 and not member.copies)

    def wait(self, member: Member, copies: bool) -> None:
        """It is paused. copies: to copy another, at once; not for its turn."""
        member.copies = copies
        member.place = (member.generation if self._synch else member.time, member.score, -member.number, member.id)
        insort(self._waiting, member.place)
        self._crowd += not copies

    def go_on(self, member: Member, trial: Trial, own_clock: bool) -> None:
        """It is resumed. own_clock: its time is not what the checkpoint that it copies has."""
        self._release(member)
        member.starts, member.config = trial.starts, trial.config
        if trial.checkpoint is None or (member.saved and trial.checkpoint == member.saved.path):
            return
        copied = (
            other.saved for other in self.members.values() if other.saved and other.saved.path == trial.checkpoint
        )
        found = next(copied, None)
        if found is None:  # written on the way out: its own
            member.saved = Saved(trial.checkpoint, member.generation, member.time, member.score)
            return
        member.saved = found
        self._move(member, found.generation)
        member.own = False
        if not own_clock:  # a whole interval for the new config, however far into one its donor was
            member.time = found.time
            member.due = member.time + self._interval

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for a slot that somebody else has."""
        return self._crowd > 0

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def behind(self, member: Member) -> bool:
        """Whether somebody waits whose turn is before that of this one, who is ready."""
        if not self._waiting:
            return False
        other = self.members[self._waiting[0][-1]]
        # One who copies is resumed in this turn of the run, unless there is no slot: it has fallen behind then.
        return other.time + (self._interval if other.copies else 0) <= member.time

    def first(self) -> Member | None:
        """The one to go on; None where nobody waits, or not all have come yet."""
        if not self._waiting:
            return None
        place = self._waiting[0]
        if self._synch and min(self._generations) < place[0]:
            return None
        return self.members[place[-1]]

    def _turn(self, member: Member) -> None:
        """It is ready."""
        if not member.measured:
            member.score = WORST
        member.ready, member.measured, member.own = True, False, True
        member.due = member.time + self._interval
        self._move(member, member.generation + 1)

    def _of_generation(self, member: Member) -> Ranking:
        return self._rankings.setdefault(member.generation, Ranking())

    def _move(self, member: Member, generation: int) -> None:
        self._count(generation, 1)
        self._count(member.generation, -1)
        member.generation = generation

    def _count(self, generation: int, by: int) -> None:
        self._generations[generation] += by
        if self._generations[generation]:
            return
        del self._generations[generation]
        last = min(self._generations, default=generation)
        for passed in [each for each in self._rankings if each < last]:
            del self._rankings[passed]

    def _release(self, member: Member) -> None:
        if member.place is not None:
            del self._waiting[bisect_left(self._waiting, member.place)]
            member.place = None
            self._crowd -= not member.copies
            member.copies = False


def amount(value: Any) -> float | None:
    """What a result says of `time_attr`, if that is a number."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
