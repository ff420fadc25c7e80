"""Grid search."""

from __future__ import annotations

import random
from typing import Any

from microtune import Done, Facts, Grid, Start, Trial, hookimpl


class GridSearch:
    """Every combination of the grid_search values, num_samples times; all that is no grid is sampled for each trial.

    One pass over the whole grid comes after the other, in each the last parameter declared varying fastest. Cells that break
    a constraint are passed over. A point of points_to_evaluate takes the place of one sample.

    constant: sample what is no grid once a pass, the same for all its cells (Ray Tune's constant_grid_search)
    """

    grid = True  # for the kernel, which refuses a grid_search to all others

    def __init__(self, *, constant: bool = False) -> None:
        self._constant = constant
        self._next = 0  # the cell to propose, counted through all passes; it is the token of its trial

    @hookimpl
    def setup(self, run: Facts) -> None:
        named = [(parameter.name, parameter.domain) for parameter in run.space.parameters()]
        self._grids = [(name, domain.values) for name, domain in named if isinstance(domain, Grid)]

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start | Done:
        cells = run.space.grid_size
        for index in range(self._next, self._next + cells):
            sample, cell = divmod(index, cells)
            if run.num_samples is not None and sample >= run.num_samples:
                return Done(f"the grid of {cells} has been gone through {run.num_samples} times")
            config = run.space.sample(run.rng("grid", sample) if self._constant else rng, self._values(cell))
            if run.space.feasible(config):
                break
        # If a whole pass broke the constraints, the kernel ends this trial, asks again, and says so in the end.
        return Start(config, token=index)

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if isinstance(trial.token, int) and trial.starts == 1:
            self._next = max(self._next, trial.token + 1)

    def _values(self, cell: int) -> dict[str, Any]:
        """What this cell sets. Computed, since a grid of six parameters may have a million cells."""
        values = {}
        for name, choices in reversed(self._grids):
            cell, which = divmod(cell, len(choices))
            values[name] = choices[which]
        return values
