"""A hill-climbing searcher."""

from __future__ import annotations

import math
import random
from typing import Any

from microtune import Facts, OptionError, Result, Start, Trial, hookimpl


class HillClimb:
    """Changes the best config so far: a (1+1) evolution strategy with random restarts of single parameters.

    startup: how many results to hear before climbing; until then configs are random
    rate: the probability that a parameter is drawn anew
    """

    def __init__(self, *, startup: int = 8, rate: float = 0.3) -> None:
        if not 0 < rate <= 1:
            raise OptionError(f"searcher 'climb': rate={rate} is a probability, above 0 and at most 1")
        self._startup = startup
        self._rate = rate
        # What the tells gave it, and nothing else: so a resumed run rebuilds it.
        self._results = 0
        self._best: dict[str, Any] = {}
        self._score = -math.inf

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single("searcher 'climb'")

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start:
        drawn = run.space.sample(rng)
        if self._results < self._startup or not self._best:
            return Start(drawn)
        # By name, whatever the space looks like; of a conditional choice the value is the index of its branch.
        values = run.space.flatten(self._best)
        drawn_values = run.space.flatten(drawn)
        one = rng.sample(list(drawn_values), k=min(1, len(drawn_values)))  # or it might propose the best config again
        for name, value in drawn_values.items():
            if name in one or rng.random() < self._rate:
                values[name] = value
        return Start(run.space.assemble(values))  # the kernel draws what a new branch lacks

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        self._results += 1
        score = self._objective.score(result)  # bigger is better, whatever the mode; NaN is the worst
        if score > self._score:
            self._score, self._best = score, trial.config
