"""A parameter as Ax has it: its config, and the value there and back.

What is quantised is an integer range for Ax, the number of the quantum, so that Ax proposes what the space has.
"""

from __future__ import annotations

import json
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from microtune import Choice, Float, Integer, Normal

if TYPE_CHECKING:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

NARROW = 1e-4  # Ax refuses a range below 1.5e-5 of its own units
EXACT = 2**50  # Ax computes with floats: a larger integer is a float for it
SIGMAS = 4.0  # of a normal parameter Ax sees the quantiles, up to here on both sides


class Outside(Exception):
    """The value is in the space and not in what Ax was given of it: a category of weight zero."""


class Number:
    """A range. Ax has x where the value is offset + scale * x, or the exponential of that where `exponent`.

    `term`: what stands for the parameter in a linear expression; None where it has no place in one, for `reason`.
    """

    reason = "it is on a log scale"

    def __init__(
        self, name: str, bounds: tuple[float, float], *, integer: bool = False, log: bool = False, offset: float = 0,
        scale: float = 1, exponent: bool = False, whole: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.bounds = bounds
        self.size = int(bounds[1] - bounds[0]) + 1 if integer else None
        linear = f"({offset!r} + {scale!r}*{name})" if (offset, scale) != (0, 1) else name
        self.term = None if log or exponent else linear
        self._integer = integer  # for Ax
        self._log = log
        self._offset, self._scale = offset, scale
        self._exponent = exponent
        self._whole = whole  # for the space

    def config(self) -> RangeParameterConfig:
        from ax.api.configs import RangeParameterConfig

        scaling: Literal["log"] | None = "log" if self._log else None
        return RangeParameterConfig(self.name, self.bounds, "int" if self._integer else "float", scaling=scaling)

    def to_ax(self, value: Any) -> int | float:
        x = ((math.log(value) if self._exponent else value) - self._offset) / self._scale
        x = min(max(x, self.bounds[0]), self.bounds[1])
        return round(x) if self._integer else float(x)

    def from_ax(self, value: Any) -> int | float:
        x = self._offset + self._scale * value
        x = math.exp(x) if self._exponent else x
        return round(x) if self._whole else float(x)


class Quantile:
    """A normal parameter as its quantile: Ax knows no prior, and the middle of its range is what is likely here."""

    reason = "it is normally distributed"
    term = None
    size = None

    def __init__(self, name: str, domain: Normal) -> None:
        self.name = name
        self.bounds = (NormalDist().cdf(-SIGMAS), NormalDist().cdf(SIGMAS))
        self._law = NormalDist(domain.mean, domain.sd)

    def config(self) -> RangeParameterConfig:
        from ax.api.configs import RangeParameterConfig

        return RangeParameterConfig(self.name, self.bounds, "float")

    def to_ax(self, value: Any) -> float:
        return min(max(self._law.cdf(value), self.bounds[0]), self.bounds[1])

    def from_ax(self, value: Any) -> float:
        return self._law.inv_cdf(value)


class Category:
    """A choice as the place of the category; numbers in their order, which Ax is told. `dependents`: by place."""

    reason = "it is a choice"
    term = None

    def __init__(self, name: str, values: list[Any], *, ordered: bool) -> None:
        self.name = name
        self.values = sorted(values) if ordered else values
        self.size = len(values)
        self.ordered = ordered or len(values) == 2  # as Ax has it
        self.dependents: dict[float | str, list[str]] = {}
        self._places = {key_of(value): place for place, value in enumerate(self.values)}

    def config(self) -> ChoiceParameterConfig:
        from ax.api.configs import ChoiceParameterConfig

        places = list(range(len(self.values)))
        return ChoiceParameterConfig(
            self.name, places, "int", is_ordered=self.ordered, dependent_parameters=self.dependents or None
        )

    def to_ax(self, value: Any) -> int:
        place = self._places.get(key_of(value))
        if place is None:
            raise Outside
        return place

    def from_ax(self, value: Any) -> Any:
        return self.values[int(value)]


Parameter: TypeAlias = Number | Quantile | Category


def parameter_of(name: str, domain: Any, values: list[Any]) -> Parameter:
    """`values`: of a choice, those that Ax may propose."""
    if isinstance(domain, Choice):
        return Category(name, values, ordered=not domain.conditional and all(type(each) in (int, float) for each in values))
    if isinstance(domain, Normal):
        return Quantile(name, domain)
    if isinstance(domain, Integer):
        return _integer(name, domain)
    assert isinstance(domain, Float), domain
    return _float(name, domain)


def _integer(name: str, domain: Integer) -> Number:
    if domain.upper >= EXACT or domain.lower <= -EXACT:
        if domain.log:
            return Number(name, (math.log(domain.lower), math.log(domain.upper)), exponent=True, whole=True)
        return Number(name, (float(domain.lower), float(domain.upper)), whole=True)
    bounds = (domain.lower // domain.q, domain.upper // domain.q)
    return Number(name, bounds, integer=True, log=domain.log, scale=domain.q, whole=True)


def _float(name: str, domain: Float) -> Number:
    lower, upper = domain.lower, domain.upper
    if domain.q is not None:
        return Number(name, (round(lower / domain.q), round(upper / domain.q)), integer=True, log=domain.log, scale=domain.q)
    if upper - lower >= NARROW:
        return Number(name, (lower, upper), log=domain.log)
    if domain.log and math.log(upper / lower) >= NARROW:
        return Number(name, (math.log(lower), math.log(upper)), exponent=True)
    return Number(name, (0.0, 1.0), offset=lower, scale=upper - lower)


def key_of(value: Any) -> str:
    """What two equal values share, and True and 1 do not."""
    return json.dumps(value, sort_keys=True)
