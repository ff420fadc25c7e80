"""Curves: what trials have scored on average up to each step, and the median of that. A score: the bigger, the better."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator

ROUNDING = 1e-12  # relative: a mean of numbers that are nearly equal is uncertain in its last digits


class Curve:
    """What a trial has scored so far: its best, and its running average at each step since its first one."""

    __slots__ = ("averages", "best", "first", "_count", "_mean")

    def __init__(self) -> None:
        self.best = -math.inf
        self.first = 0
        self.averages: list[float] = []  # at steps first, first + 1, ...
        self._count = 0
        self._mean = 0.0

    @property
    def next(self) -> int | None:
        """The first step that it has not reached; None before its first result."""
        return self.first + len(self.averages) if self.averages else None

    def add(self, step: int, score: float) -> None:
        """One more result. The average at a step is that at the first result there, or of all before a step left out."""
        if self.next is None:
            self.first = step
        elif step > self.next:
            self.averages += [self._mean] * (step - self.next)
        self._count += 1
        if self._mean > -math.inf:  # else it stays so
            # Not a sum that is divided: nothing overflows, and the mean of equals is exact.
            self._mean += score / self._count - self._mean / self._count
        self.best = max(self.best, score)
        if self.next is None or step == self.next:
            self.averages.append(self._mean)


class Field:
    """The running averages, at each step, of all trials that a trial is compared with."""

    def __init__(self) -> None:
        self._averages: dict[int, list[float]] = {}  # step -> sorted

    def add(self, averages: Iterator[tuple[int, float]]) -> None:
        for step, average in averages:
            insort(self._averages.setdefault(step, []), average)

    def count(self, step: int) -> int:
        return len(self._averages.get(step, ()))

    def median(self, step: int) -> float:
        averages = self._averages[step]
        middle = len(averages) // 2
        return averages[middle] if len(averages) % 2 else averages[middle - 1] / 2 + averages[middle] / 2

    def beats(self, best: float, step: int) -> bool:
        """Whether `best` is strictly worse than the median at this step, by more than rounding."""
        median = self.median(step)
        return best < median and not math.isclose(best, median, rel_tol=ROUNDING)
