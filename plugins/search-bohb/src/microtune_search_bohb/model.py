"""The model: what the good configs have in common that the bad ones have not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from microtune_search_bohb.density import Density
from microtune_search_bohb.dimensions import Vector

LEAST = 1e-32  # of a density: what is less counts as this much, so that far from all data l alone decides


class Model:
    """Two densities: l of the good configs, g of the bad ones. Where l / g is large an improvement is expected.

    good, bad: vectors; what is inactive in one is filled in
    levels: of each dimension the number of categories, 0 for a number
    """

    def __init__(
        self, good: list[Vector], bad: list[Vector], levels: Sequence[int], min_bandwidth: float, rng: random.Random
    ) -> None:
        self.good = Density(filled(good, levels, rng), levels, min_bandwidth)
        self.bad = Density(filled(bad, levels, rng), levels, min_bandwidth)

    def propose(self, rng: random.Random, num_samples: int, bandwidth_factor: float) -> Vector:
        """The best of `num_samples` draws from l, widened (Falkner et al. 2018, Algorithm 2)."""
        points = np.array([self.good.draw(rng, bandwidth_factor) for _ in range(num_samples)])
        gain = np.maximum(self.good(points), LEAST) / np.maximum(self.bad(points), LEAST)
        return tuple(points[int(gain.argmax())].tolist())


def filled(vectors: list[Vector], levels: Sequence[int], rng: random.Random) -> Any:
    """The vectors as an array, in which what is inactive comes from another one that has it; from nowhere if none has it.

    All that one vector lacks and another has is taken over together, so that what belongs to a branch stays together.
    """
    data = np.array(vectors)
    lacking = np.isnan(data)
    owners = [np.flatnonzero(~column) for column in lacking.T]
    for i in np.flatnonzero(lacking.any(axis=1)):
        for j in np.flatnonzero(lacking[i]).tolist():
            if not math.isnan(data[i, j]):
                continue
            if len(owners[j]):
                donor = owners[j][rng.randrange(len(owners[j]))]
                take = np.isnan(data[i]) & ~lacking[donor]
                data[i, take] = data[donor, take]
            else:
                data[i, j] = rng.randrange(levels[j]) if levels[j] else rng.random()
    return data
