"""What a numeric parameter may be: Float, Normal, Integer; and the contract of every domain.

Bounds are inclusive everywhere, in `contains`, in `project` and in the fields. Quantised values are multiples of `q`, drawn by
index, so that the end points have full mass, and are the decimals that one would write: 0.3, never 0.30000000000000004.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from microtune.plain import Unfit, is_number, number

if TYPE_CHECKING:
    import random


class Domain:
    """The contract of the classes below; Unfit is a SpaceError."""

    __slots__ = ()

    @property
    def size(self) -> int | None:
        """The number of distinct values; None where there is no end to them."""
        return None

    def sample(self, rng: random.Random) -> Any:
        raise NotImplementedError

    def contains(self, value: Any) -> bool:
        raise NotImplementedError

    def project(self, value: Any) -> Any:
        """The nearest value of the domain; Unfit where there is none."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}  # type: ignore[arg-type]
        return {"$": type(self).__name__, **encode(given)}


@dataclass(frozen=True, slots=True, repr=False)
class Float(Domain):
    """A real number from `lower` to `upper`; where it is quantised both are multiples of `q`."""

    lower: float
    upper: float
    log: bool = False
    q: float | None = None
    _step: tuple[int, int] = field(init=False, compare=False, default=(0, 1))
    _first: int = field(init=False, compare=False, default=0)
    _last: int = field(init=False, compare=False, default=0)

    def __post_init__(self) -> None:
        if self.q is not None:
            object.__setattr__(self, "_step", _exact(self.q))
            object.__setattr__(self, "_first", round(self.lower / self.q))
            object.__setattr__(self, "_last", round(self.upper / self.q))

    @property
    def size(self) -> int | None:
        return None if self.q is None else self._last - self._first + 1

    def sample(self, rng: random.Random) -> float:
        if self.q is not None:
            return self._at(_draw(rng, self._first, self._last, self.log))
        if self.log:  # exp(log(x)) may leave the bounds by a rounding error
            return min(max(math.exp(rng.uniform(math.log(self.lower), math.log(self.upper))), self.lower), self.upper)
        return rng.uniform(self.lower, self.upper)

    def contains(self, value: Any) -> bool:
        if not is_number(value) or not self.lower <= value <= self.upper:
            return False
        return self.q is None or bool(value == self._at(round(value / self.q)))

    def project(self, value: Any) -> float:
        x = value if type(value) is float else number(value)
        if self.lower < x < self.upper:
            return float(x) if self.q is None else self._at(round(x / self.q))
        if x <= self.lower:
            return self.lower
        if x >= self.upper:
            return self.upper
        raise Unfit("nan is not a number")

    def _at(self, index: int) -> float:
        if index <= self._first:
            return self.lower
        if index >= self._last:
            return self.upper
        return index * self._step[0] / self._step[1]  # a quotient of two ints is correctly rounded

    def __repr__(self) -> str:
        name = ("q" if self.q else "") + ("loguniform" if self.log else "uniform")
        return _call(name, self.lower, self.upper, self.q)


@dataclass(frozen=True, slots=True, repr=False)
class Normal(Domain):
    """A normally distributed real number without bounds, rounded to a multiple of `q` where there is one."""

    mean: float = 0.0
    sd: float = 1.0
    q: float | None = None
    _step: tuple[int, int] = field(init=False, compare=False, default=(0, 1))

    def __post_init__(self) -> None:
        if self.q is not None:
            object.__setattr__(self, "_step", _exact(self.q))

    def sample(self, rng: random.Random) -> float:
        return self.project(rng.normalvariate(self.mean, self.sd))

    def contains(self, value: Any) -> bool:
        return is_number(value) and math.isfinite(value) and bool(value == self.project(value))

    def project(self, value: Any) -> float:
        x = value if type(value) is float else float(number(value))
        if not math.isfinite(x):
            raise Unfit(f"{x} is not a finite number")
        return x if self.q is None else round(x / self.q) * self._step[0] / self._step[1]

    def __repr__(self) -> str:
        return _call("qrandn" if self.q else "randn", self.mean, self.sd, self.q)


@dataclass(frozen=True, slots=True, repr=False)
class Integer(Domain):
    """A multiple of `q` from `lower` to `upper`, both INCLUSIVE and both multiples of `q` themselves.

    `randint(0, 10)` is Integer(0, 9); `qrandint(1, 10, 2)` is Integer(2, 10, q=2).
    """

    lower: int
    upper: int
    log: bool = False
    q: int = 1

    @property
    def high(self) -> int:
        """`upper`, for a reader who would rather not wonder whether it is inclusive."""
        return self.upper

    @property
    def size(self) -> int:
        return (self.upper - self.lower) // self.q + 1

    def sample(self, rng: random.Random) -> int:
        return _draw(rng, self.lower // self.q, self.upper // self.q, self.log) * self.q

    def contains(self, value: Any) -> bool:
        return type(value) is int and self.lower <= value <= self.upper and value % self.q == 0

    def project(self, value: Any) -> int:
        x = value if type(value) is int else number(value)
        if x <= self.lower:
            return self.lower
        if x >= self.upper:
            return self.upper
        if isinstance(x, int):  # in integers, since x / q would lose the last digits of a large one
            return (2 * x + self.q) // (2 * self.q) * self.q
        if math.isnan(x):
            raise Unfit("nan is not a number")
        return round(x / self.q) * self.q

    def __repr__(self) -> str:
        name = "lograndint" if self.log else "randint"
        return _call(name, self.lower, self.upper + 1) if self.q == 1 else _call("q" + name, self.lower, self.upper, self.q)


def holds_domain(spec: Any) -> bool:
    """Whether there is a domain in this part of a space, at any depth."""
    if isinstance(spec, (dict, list)):
        return any(map(holds_domain, spec.values() if isinstance(spec, dict) else spec))
    return isinstance(spec, Domain)


def encode(spec: Any) -> Any:
    """A part of a space as JSON: a domain is a dict with the key "$", and so is a dict that has that key itself."""
    if isinstance(spec, Domain):
        return spec.to_json()
    if isinstance(spec, dict):
        items = {key: encode(item) for key, item in spec.items()}
        return {"$": "dict", "items": items} if "$" in items else items
    return [encode(item) for item in spec] if isinstance(spec, (list, tuple)) else spec


def _exact(q: float) -> tuple[int, int]:
    """The decimal that the user wrote, as numerator and denominator: 0.1 is (1, 10)."""
    mantissa, _, exponent = repr(q).partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) - len(fraction)
    return int(whole + fraction) * 10 ** max(power, 0), 10 ** max(-power, 0)


def _draw(rng: random.Random, first: int, last: int, log: bool) -> int:
    """An index from first to last; with `log` the floor of a log-uniform draw: P(k) is proportional to ln((k + 1) / k)."""
    if log:
        return min(max(int(math.exp(rng.uniform(math.log(first), math.log(last + 1)))), first), last)
    return rng.randrange(first, last + 1)


def _call(name: str, *arguments: Any) -> str:
    return f"{name}({', '.join(repr(argument) for argument in arguments if argument is not None)})"
