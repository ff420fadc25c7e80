"""Rungs: the amounts of training at which trials are compared, and what they scored there."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort

from microtune import Pause, Stop

# (loss, order of arrival, trial id): of two equal losses the earlier arrival is the better
Waiting = tuple[float, int, str]


def levels(grace_period: int, max_t: int, reduction_factor: int) -> list[int]:
    """`grace_period * reduction_factor**k` up to `max_t`, in integers: log(1000) / log(10) is 2.9999999999999996."""
    rungs = []
    level = grace_period
    while level <= max_t:
        rungs.append(level)
        level *= reduction_factor
    return rungs


def bracket_weights(rungs: int, brackets: int, reduction_factor: int) -> list[int]:
    """How many trials HyperBand starts in each bracket (Li et al. 2018, Algorithm 1), so that each has the same budget.

    Bracket s leaves out the lowest s of K rungs: n(s) = ceil(K / (K - s) * reduction_factor**(K - s - 1)).
    """
    return [-(-rungs * reduction_factor ** (rungs - s - 1) // (rungs - s)) for s in range(brackets)]


class Rung:
    """What trials scored with this much training. A loss is a score negated: the smaller, the better."""

    __slots__ = ("factor", "level", "losses", "pause", "stop", "waiting")

    def __init__(self, level: int, factor: int) -> None:
        self.level = level
        self.factor = factor
        self.losses: list[float] = []  # of all who came here, the best first
        self.waiting: list[Waiting] = []  # who is paused here, the best first
        self.stop = Stop(f"not among the best 1/{factor} at rung {level}")
        self.pause = Pause(f"at rung {level}")

    def record(self, loss: float) -> None:
        insort(self.losses, loss)

    def among_the_best(self, loss: float) -> bool:
        """Whether this recorded loss is among the best max(1, floor(n / factor)) of the n recorded; equal ones all are."""
        return loss <= self.losses[max(1, len(self.losses) // self.factor) - 1]

    def admit(self, loss: float, trial_id: str) -> Waiting:
        """The trial whose loss was recorded last waits here for its promotion."""
        entry = (loss, len(self.losses), trial_id)
        insort(self.waiting, entry)
        return entry

    def release(self, entry: Waiting) -> None:
        del self.waiting[bisect_left(self.waiting, entry)]

    def promotable(self) -> str | None:
        """The best trial that waits, if it is among the best floor(n / factor) of the n recorded."""
        if not self.waiting:
            return None
        loss, _, trial_id = self.waiting[0]
        # Those who have left with an equal loss came earlier, since the earlier of two equals is promoted first.
        ahead = bisect_right(self.losses, loss) - bisect_right(self.waiting, (loss, math.inf))
        return trial_id if ahead < len(self.losses) // self.factor else None
