"""What was measured, by budget: the training_iteration at which a trial reported."""

from __future__ import annotations

import math
from bisect import insort
from typing import NamedTuple

from microtune_search_bohb.dimensions import Vector

MOST = 1000  # vectors in a density, so that a proposal takes milliseconds however many there are


class Observation(NamedTuple):
    """Ordered by loss; of two equal ones the earlier is the better."""

    loss: float
    order: int
    vector: Vector


class Observations:
    """Those that may still be modelled. The budget that is modelled only grows, and what is below it is forgotten.

    enough: how many trials must have measured a number at a budget before it is modelled
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._budgets: dict[int, list[Observation]] = {}  # the best first
        self._numbers: dict[int, int] = {}  # of finite losses at each budget
        self._failed: list[tuple[int, Vector]] = []  # how far they got
        self._told = 0
        self.budget = 0  # the largest one with enough observations; 0: none has

    @property
    def told(self) -> int:
        """By which it is known whether a model is still the model of all there is."""
        return self._told

    def measured(self, budget: int, loss: float, vector: Vector) -> None:
        """`loss` is inf where it is no number."""
        if budget < self.budget:
            return
        self._told += 1
        insort(self._budgets.setdefault(budget, []), Observation(loss, self._told, vector))
        self._numbers[budget] = self._numbers.get(budget, 0) + (loss < math.inf)
        if budget > self.budget and self._numbers[budget] >= self._enough:
            self.budget = budget
            for smaller in [each for each in self._budgets if each < budget]:
                del self._budgets[smaller], self._numbers[smaller]

    def failed(self, iteration: int, vector: Vector) -> None:
        """A trial that got no further is the worst at every budget beyond."""
        self._told += 1
        self._failed.append((iteration, vector))

    def split(self, least: int, top_n_percent: int) -> tuple[list[Vector], list[Vector]]:
        """The good and the bad of the budget that is modelled (Falkner et al. 2018, section 4.1).

        The best max(least, top_n_percent % of n) and the worst max(least, the rest): of few observations some are both.
        Who measured no number is never good. Of more than MOST every second one is left out, or two of three, and so on,
        which are of all ranks.
        """
        ranked = [each.vector for each in self._budgets[self.budget]]
        ranked += [vector for iteration, vector in self._failed if iteration < self.budget]
        good = min(max(least, top_n_percent * len(ranked) // 100), self._numbers[self.budget])
        bad = min(max(least, len(ranked) - good), len(ranked))
        return thinned(ranked[:good]), thinned(ranked[-bad:])


def thinned(vectors: list[Vector]) -> list[Vector]:
    return vectors[:: -(-len(vectors) // MOST)]
