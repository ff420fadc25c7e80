"""Random search."""

from __future__ import annotations

import random

from microtune import Facts, Start, hookimpl


class RandomSearch:
    """Every trial an independent draw from the space (Bergstra and Bengio, JMLR 13, 2012).

    It draws with replacement: a finite space is not exhausted, and the number of trials ends the run. What it draws for
    trial n depends on the run's seed and on n alone, so it keeps no state and hears nothing.
    """

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start:
        return Start(run.space.sample(rng))
