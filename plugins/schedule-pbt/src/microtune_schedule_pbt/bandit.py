"""A time-varying bandit: a Gaussian process over numbers, EXP3 over categories. numpy only."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # numpy's own types say more than they check

LENGTHS = (0.1, 0.25, 0.6, 1.5)  # in units of the range of each number
FORGETTING = (0.0, 0.03, 0.1, 0.3)  # of the correlation, an interval
NOISE = (0.01, 0.1, 0.5)  # of the variance
JITTER = 1e-8


class Rows:
    """Points, a row for each: `times` in intervals, a table of `numbers` in [0, 1] and one of `categories` by index."""

    def __init__(self, times: Array, numbers: Array, categories: Array) -> None:
        self.times = np.asarray(times, float)
        self.numbers = np.asarray(numbers, float)
        self.categories = np.asarray(categories, int)

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            np.concatenate([self.times, other.times]),
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.categories, other.categories]),
        )


def covariance(a: Rows, b: Rows, length: float, forgetting: float) -> Array:
    """Squared exponential in the numbers, times (1 - forgetting) ** (|t - t'| / 2): Parker-Holder et al. 2020, section 3.1.

    With categories the mixture of their sum and product with the overlap kernel, half each, as in PB2-Mix (2021).
    """
    distances = ((a.numbers[:, None, :] - b.numbers[None, :, :]) ** 2).sum(axis=2)
    kernel = np.exp(-0.5 * distances / length**2)
    if a.categories.shape[1]:
        overlap = (a.categories[:, None, :] == b.categories[None, :, :]).mean(axis=2)
        kernel = (kernel + overlap) / 4 + kernel * overlap / 2
    return kernel * (1 - forgetting) ** (np.abs(a.times[:, None] - b.times[None, :]) / 2)


class GaussianProcess:
    """Fitted by the marginal likelihood, over a grid of hyperparameters: no optimiser, and the same on every machine."""

    def __init__(self, rows: Rows, gains: Array) -> None:
        self._rows = rows
        gains = np.asarray(gains, float)
        spread = gains.std() or 1.0
        self._gains = np.clip((gains - gains.mean()) / spread, -2, 2)  # one lucky jump must not flatten the rest
        best = -math.inf
        for length, forgetting in product(LENGTHS, FORGETTING):
            kernel = covariance(rows, rows, length, forgetting)
            for noise, evidence in zip(NOISE, _evidences(kernel, self._gains), strict=True):
                if evidence > best:
                    best, self._length, self._forgetting, self._noise = evidence, length, forgetting, noise
        self._factor = self._factored(rows)
        self._weights = _solved(self._factor, self._gains)

    def mean(self, at: Rows) -> Array:
        cross = covariance(at, self._rows, self._length, self._forgetting)
        return cross @ self._weights

    def deviation(self, at: Rows, pending: Rows) -> Array:
        """As if the pending points had been measured already: where others are at work less is to be learnt."""
        known = self._rows + pending
        cross = covariance(at, known, self._length, self._forgetting)
        explained = np.linalg.solve(self._factored(known), cross.T)
        return np.sqrt(np.maximum(1 - (explained**2).sum(axis=0), JITTER))

    def _factored(self, rows: Rows) -> Array:
        kernel = covariance(rows, rows, self._length, self._forgetting)
        return np.linalg.cholesky(kernel + (self._noise + JITTER) * np.eye(len(rows.times)))


def _solved(factor: Array, values: Array) -> Array:
    return np.linalg.solve(factor.T, np.linalg.solve(factor, values))


def _evidences(kernel: Array, gains: Array) -> list[float]:
    """The log marginal likelihood at each noise, the scale of the variance at its best value, up to a constant."""
    values, vectors = np.linalg.eigh(kernel)  # once for all of NOISE
    squares = (vectors.T @ gains) ** 2
    found = []
    for noise in NOISE:
        spectrum = np.maximum(values, 0) + noise
        scale = max(float((squares / spectrum).mean()), 1e-12)
        found.append(float(-0.5 * (len(gains) * math.log(scale) + np.log(spectrum).sum())))
    return found


def boldest(process: GaussianProcess, pending: Rows, time: float, context: Sequence[float], chosen: Sequence[int],
            start: Sequence[float], rng: random.Random) -> list[float]:  # fmt: skip
    """The numbers with the highest upper confidence bound: random ones, then ever shorter steps from the best of them.

    The bound is mean + sqrt(0.2 + ln(0.4 n)) * deviation, with the paper's constants and the STANDARD deviation.
    """
    draws = np.random.default_rng(rng.getrandbits(64))
    width = math.sqrt(0.2 + max(0.0, math.log(0.4 * (len(process._gains) + 1))))

    def bound(points: Array) -> Array:
        n = len(points)
        numbers = np.column_stack([np.tile(np.asarray(context, float), (n, 1)), points])
        at = Rows(np.full(n, time), numbers, np.tile(np.asarray(chosen, int), (n, 1)))
        return process.mean(at) + width * process.deviation(at, pending)

    points = np.vstack([np.asarray(start, float), draws.random((256, len(start)))])
    for reach in (0.1, 0.03, 0.01):
        best = points[int(np.argmax(bound(points)))]
        points = np.vstack([best, np.clip(best + reach * draws.standard_normal((64, len(start))), 0, 1)])
    found: list[float] = points[int(np.argmax(bound(points)))].tolist()
    return found


def drawn(gains: Sequence[tuple[int, float]], options: int, rng: random.Random) -> int:
    """The category to play next: EXP3 whose weights forget (TV.EXP3 of PB2-Mix, Parker-Holder et al. 2021).

    gains: what was played, the oldest first, with its gain in [0, 1].
    """
    rounds = len(gains) + 1
    explores = min(1.0, math.sqrt(options * math.log(options) / ((math.e - 1) * rounds))) if options > 1 else 1.0
    weights = [1.0] * options

    def chances() -> list[float]:
        total = sum(weights)
        return [(1 - explores) * weight / total + explores / options for weight in weights]

    for played, gain in gains:
        estimate = gain / chances()[played]
        floor = math.e / (rounds * options) * sum(weights)  # what lets a category that was bad once come back
        weights[played] *= math.exp(explores * estimate / options)
        weights = [weight + floor for weight in weights]
        total = sum(weights)
        weights = [weight / total for weight in weights]
    return rng.choices(range(options), chances())[0]
