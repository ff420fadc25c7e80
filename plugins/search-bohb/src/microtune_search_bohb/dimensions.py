"""The search space as the model sees it: a vector of numbers in [0, 1] and indices of categories."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

from microtune import Choice, Integer, Normal, Space

TAIL = NormalDist().cdf(-6)  # of a normal, beyond which quantiles cannot be told from 0 and 1
INACTIVE = math.nan

Vector = tuple[float, ...]


class Dimension(NamedTuple):
    """`levels`: how many categories; 0: a number. `write` leads to the model's scale, `read` back."""

    name: str
    levels: int
    write: Callable[[Any], float]
    read: Callable[[float], Any]


class Dimensions:
    """One for each parameter that has more than one value, active or not.

    Numbers are on the scale that they are drawn on: logarithms, quantiles of a normal. What is quantised is counted in steps,
    in a range half a step wider, so that every value has as much room.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._only: dict[str, Any] = {}  # what has one value
        self._dimensions: list[Dimension] = []
        for each in space.parameters():
            if isinstance(each.domain, Choice):
                self._add_choice(each.name, each.domain)
            elif each.domain.size != 1:
                self._dimensions.append(Dimension(each.name, 0, *_scale(each.domain)))
        self.levels = tuple(each.levels for each in self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    def vector(self, config: dict[str, Any]) -> Vector:
        """NaN for what is inactive, or has a category of weight zero."""
        values = self._space.flatten(config)
        return tuple(each.write(values[each.name]) if each.name in values else INACTIVE for each in self._dimensions)

    def config(self, vector: Vector) -> dict[str, Any]:
        values = {each.name: each.read(x) for each, x in zip(self._dimensions, vector, strict=True)}
        return self._space.assemble({**self._only, **values})

    def _add_choice(self, name: str, domain: Choice) -> None:
        weights = domain.weights or [1.0] * len(domain.categories)
        values = list(range(len(weights))) if domain.conditional else list(domain.categories)
        places: dict[str, int] = {}  # equal categories are one
        possible: list[Any] = []
        for value, weight in zip(values, weights, strict=True):
            if weight > 0 and places.setdefault(_text(value), len(possible)) == len(possible):
                possible.append(value)
        if len(possible) == 1:
            self._only[name] = possible[0]
        else:
            self._dimensions.append(
                Dimension(
                    name, len(possible), lambda value: places.get(_text(value), INACTIVE), lambda x: possible[int(x)]
                )
            )


def _scale(domain: Any) -> tuple[Callable[[Any], float], Callable[[float], Any]]:
    if isinstance(domain, Normal):
        normal = NormalDist(domain.mean, domain.sd)
        return lambda x: min(max(normal.cdf(x), TAIL), 1 - TAIL), lambda u: normal.inv_cdf(min(max(u, TAIL), 1 - TAIL))
    bend, unbend = (math.log, math.exp) if domain.log else (float, float)
    q: Any = domain.q
    if q is None:
        low, high = bend(domain.lower), bend(domain.upper)
        return lambda x: (bend(x) - low) / (high - low), lambda u: unbend(low + u * (high - low))
    whole = isinstance(domain, Integer)  # divided as an integer, since x / q would lose the last digits of a large one
    first, last = (
        (domain.lower // q, domain.upper // q) if whole else (round(domain.lower / q), round(domain.upper / q))
    )
    low, high = bend(first - 0.5), bend(last + 0.5)

    def write(x: Any) -> float:
        return (bend(x // q if whole else round(x / q)) - low) / (high - low)

    def read(u: float) -> Any:
        return min(max(round(unbend(low + u * (high - low))), first), last) * q

    return write, read


def _text(category: Any) -> str:
    """By which 1, True and "1" are three."""
    return json.dumps(category, sort_keys=True)
