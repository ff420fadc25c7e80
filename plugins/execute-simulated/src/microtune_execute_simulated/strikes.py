"""Workers that fail."""

from __future__ import annotations

import math

from microtune import Facts, Failure


class Strikes:
    """When the worker of one trial fails: a Poisson process from the trial's creation on.

    It runs in virtual time and not in steps or attempts, so it is the same whatever the others do and however often the
    driver is killed: a trial that runs at the moment of a strike is struck.
    """

    def __init__(self, run: Facts, number: int, born: float, crashes: float, preemptions: float) -> None:
        self._rng = run.rng("strikes", number)
        self._rate = crashes + preemptions
        self._preempted = preemptions / self._rate
        self.count = 0  # so far
        self.last = -math.inf
        self._draw(born)

    def pass_to(self, now: float) -> None:
        """Afterwards `next` lies in the future."""
        while self.next <= now:
            self.count += 1
            self.last = self.next
            self._draw(self.next)

    def failure(self) -> Failure:
        """That of the next one."""
        if self._lost:
            return Failure("lost", f"the simulated worker was preempted at {self.next:g} s")
        return Failure("error", f"the trial crashed at {self.next:g} s, as the simulation has it")

    def _draw(self, since: float) -> None:
        self.next = since + self._rng.expovariate(self._rate)
        self._lost = self._rng.random() < self._preempted
