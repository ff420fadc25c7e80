"""Brackets: how many trials each starts, to what amount of training, and how its present round stands."""

from __future__ import annotations

from typing import NamedTuple

# (number of the bracket, loss, number of the trial, its id). A loss is a score negated: the smaller, the better; of two equal
# losses the older trial's is the better.
Entry = tuple[int, float, int, str]


class Plan(NamedTuple):
    """A bracket before it has any trial."""

    size: int  # trials that it starts
    rungs: tuple[int, ...]  # amounts of training; the last one is max_t


def plans(max_t: int, grace_period: int, reduction_factor: int) -> list[Plan]:
    """Algorithm 1 of Li et al. 2018, the most aggressive bracket first.

    For s = s_max, ..., 0, where s_max is the largest with grace_period * eta**s_max <= max_t: ceil((s_max + 1) * eta**s /
    (s + 1)) trials, and the rungs max_t / eta**s, ..., max_t / eta, max_t. In integers, rungs rounded down, since a floating
    point logarithm of 243 to the base 3 is 4.999999999999999.
    """
    rungs = [max_t]
    while grace_period * reduction_factor ** len(rungs) <= max_t:
        rungs.insert(0, max_t // reduction_factor ** len(rungs))
    k = len(rungs)  # s_max + 1
    return [Plan(-(-k * reduction_factor**s // (s + 1)), tuple(rungs[k - 1 - s :])) for s in reversed(range(k))]


class Bracket:
    """Trials that are judged together, round after round: the trials of a round train up to its rung, and meet there."""

    __slots__ = ("_rungs", "_round", "entered", "number", "places", "underway", "waiting")

    def __init__(self, number: int, plan: Plan) -> None:
        self.number = number  # 0, 1, 2, ... in the order in which they are opened
        self.places = plan.size  # for how many more trials
        self.entered = 0  # the present round
        self.underway = 0  # of these, those that have neither paused at its rung nor ended
        self.waiting: list[Entry] = []  # those that have paused there, the best first
        self._rungs = plan.rungs
        self._round = 0

    @property
    def rung(self) -> int:
        return self._rungs[self._round]

    @property
    def complete(self) -> bool:
        """Whether all that the present round waits for are there."""
        return bool(self.waiting) and not self.underway and not self.places

    def enter(self) -> None:
        self.entered += 1
        self.underway += 1

    def judge(self, reduction_factor: int) -> tuple[list[Entry], list[Entry]]:
        """End the round: who goes on to the next one, and who does not. Nobody joins the bracket any more.

        The best floor(entered / reduction_factor) go on, where those that have failed count as the worst. At least one does,
        which matters only in a bracket that has got fewer trials than it has places for: its best would be left half trained.
        One that goes on alone has nobody to be compared with, and goes on to the end.
        """
        quota = max(1, self.entered // reduction_factor)
        best, rest = self.waiting[:quota], self.waiting[quota:]
        self.waiting = []
        self.places = 0
        self.entered = self.underway = len(best)
        self._round = self._round + 1 if len(best) > 1 else len(self._rungs) - 1
        return best, rest
