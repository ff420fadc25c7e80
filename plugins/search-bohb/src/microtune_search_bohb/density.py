"""A kernel density estimate of numbers in [0, 1] and categories, mixed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np


class Density:
    """A product of one kernel a dimension around each point: Gaussian for numbers, Aitchison and Aitken's for categories.

    The bandwidths follow the normal reference rule, 1.06 * sigma * n**(-1 / (4 + d)) for n points in d dimensions, as
    statsmodels' KDEMultivariate(bw="normal_reference") has it and BOHB's authors use it. The sigma of a category is that of
    its indicator, sqrt((1 - sum p**2) / 2), which for two categories is the standard deviation of the indices, and depends on
    no order; nor is its bandwidth above (levels - 1) / levels, where the kernel is flat.

    data: points x dimensions
    levels: of each dimension the number of categories, 0 for a number
    """

    def __init__(self, data: Any, levels: Sequence[int], min_bandwidth: float) -> None:
        self._data = data
        self._levels = levels
        self.bandwidths = [max(width, min_bandwidth) for width in _normal_reference(data, levels)]

    def __call__(self, points: Any) -> Any:
        """The density at each of these points."""
        exponents = np.zeros((len(points), len(self._data)))
        constant = 1.0 / len(self._data)
        for j, (levels, width) in enumerate(zip(self._levels, self.bandwidths, strict=True)):
            if levels:
                same = points[:, j, None] == self._data[None, :, j]
                exponents += np.where(same, math.log(1 - width), math.log(width / (levels - 1)))
            else:
                exponents -= 0.5 * ((points[:, j, None] - self._data[None, :, j]) / width) ** 2
                constant /= width * math.sqrt(2 * math.pi)
        return np.exp(exponents).sum(axis=1) * constant

    def draw(self, rng: random.Random, factor: float) -> list[float]:
        """A point near one of the data: the kernels of numbers are `factor` times as wide, and cut off at 0 and 1."""
        centre = self._data[rng.randrange(len(self._data))]
        drawn: list[float] = []
        for x, levels, width in zip(centre.tolist(), self._levels, self.bandwidths, strict=True):
            if not levels:
                drawn.append(_truncated(rng, x, factor * width))
            else:
                drawn.append(x if rng.random() >= width else float(rng.randrange(levels)))
        return drawn


def _normal_reference(data: Any, levels: Sequence[int]) -> list[float]:
    n, d = data.shape
    shrink = 1.06 * n ** (-1 / (4 + d))
    widths = []
    for column, categories in zip(data.T, levels, strict=True):
        if categories:
            shares = np.bincount(column.astype(int), minlength=categories) / n
            sigma = math.sqrt(max(0.0, 1 - float((shares**2).sum())) / 2)
            widths.append(min(shrink * sigma, (categories - 1) / categories))
        else:
            widths.append(shrink * float(column.std()))
    return widths


def _truncated(rng: random.Random, mean: float, sd: float) -> float:
    """Of a normal with its mean in [0, 1], what lies there."""
    normal = NormalDist(mean, sd)
    quantile = rng.uniform(normal.cdf(0.0), normal.cdf(1.0))
    return min(max(normal.inv_cdf(quantile), 0.0), 1.0) if 0 < quantile < 1 else mean
