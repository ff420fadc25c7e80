"""What it saved to end trials early."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import NamedTuple

from microtune import Result


class Saved(NamedTuple):
    """`trials` ended before iteration `longest`, which would have taken them `time` more, a `part` of all training then."""

    trials: int
    time: float  # seconds of training, summed over the trials
    part: float
    longest: int


class Savings:
    """Beside a run that trains every trial for as many iterations as the longest one, each at its own pace.

    That is measured from its first result to its last, so that what a trial needs to begin does not count; one that has only
    one result is taken for as fast as the others are on average. An estimate: nobody knows how long they would really have
    taken, or whether as many had been started. Trials that came to their own end, or failed, save nothing; what they took
    counts.
    """

    def __init__(self) -> None:
        self._spent = 0.0
        self._longest = 0
        self._measured = [0.0, 0]  # seconds, iterations, between the first and the last results
        self._stopped: dict[int, list[float]] = {}  # iteration -> [trials, sum of their paces, those without one]

    def over(self, first: Result, last: Result, early: bool) -> None:
        """A trial has ended that had these results; `early`: it was stopped."""
        self._spent += last.time_total_s
        self._longest = max(self._longest, last.training_iteration)
        steps, time = last.training_iteration - first.training_iteration, last.time_total_s - first.time_total_s
        if steps > 0:
            self._measured[0] += time
            self._measured[1] += steps
        if early:
            sums = self._stopped.setdefault(last.training_iteration, [0, 0.0, 0])
            sums[0] += 1
            if steps > 0:
                sums[1] += time / steps
            else:
                sums[2] += 1

    def total(self, left_behind: Iterable[tuple[Result, Result]] = ()) -> Saved | None:
        """None if nothing was. `left_behind`: of the trials that are paused for good."""
        whole = deepcopy(self)
        for first, last in left_behind:
            whole.over(first, last, early=True)
        seconds, steps = whole._measured
        short = {at: sums for at, sums in whole._stopped.items() if at < whole._longest}
        average = seconds / max(1, steps)
        time = sum((whole._longest - at) * (paces + without * average) for at, (_, paces, without) in short.items())
        if time <= 0:
            return None
        trials = int(sum(sums[0] for sums in short.values()))
        return Saved(trials, time, time / (whole._spent + time), whole._longest)
