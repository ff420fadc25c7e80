"""The search space primitives, with Ray Tune's names and bounds; they check their arguments, the domains do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

from microtune.domains import Choice, Domain, Float, Function, Grid, Integer, Normal, holds_domain
from microtune.faults import SpaceError
from microtune.nodes import name_of_path
from microtune.plain import Unfit, number, plain


def uniform(lower: float, upper: float) -> Float:
    """A real number in [lower, upper)."""
    return Float(*_bounds("uniform", lower, upper))


def quniform(lower: float, upper: float, q: float) -> Float:
    """A multiple of q in [lower, upper], both of which q divides."""
    return _stepped("quniform", lower, upper, q, log=False)


def loguniform(lower: float, upper: float) -> Float:
    """A real number in [lower, upper) whose logarithm is uniform."""
    return Float(*_bounds("loguniform", lower, upper, log=True), log=True)


def qloguniform(lower: float, upper: float, q: float) -> Float:
    """A multiple k * q in [lower, upper], both of which q divides, with a probability proportional to ln((k + 1) / k)."""
    return _stepped("qloguniform", lower, upper, q, log=True)


def randn(mean: float = 0.0, sd: float = 1.0) -> Normal:
    """A normally distributed number, without bounds."""
    return Normal(_real("randn", "mean", mean), _positive("randn", "sd", sd))


def qrandn(mean: float, sd: float, q: float) -> Normal:
    """A normally distributed number, rounded to a multiple of q."""
    return Normal(_real("qrandn", "mean", mean), _positive("qrandn", "sd", sd), _positive("qrandn", "q", q))


def randint(lower: int, upper: int) -> Integer:
    """An integer in [lower, upper)."""
    return _integers("randint", lower, upper, 1, log=False)


def qrandint(lower: int, upper: int, q: int = 1) -> Integer:
    """A multiple of q in [lower, upper]; as in Ray Tune `upper` is excluded where q is 1."""
    return _integers("qrandint", lower, upper, q, log=False)


def lograndint(lower: int, upper: int) -> Integer:
    """An integer k in [lower, upper) with a probability proportional to ln((k + 1) / k)."""
    return _integers("lograndint", lower, upper, 1, log=True)


def qlograndint(lower: int, upper: int, q: int = 1) -> Integer:
    """A multiple k * q in [lower, upper], weighed as in lograndint; as in Ray Tune `upper` is excluded where q is 1."""
    return _integers("qlograndint", lower, upper, q, log=True)


def choice(categories: Sequence[Any], weights: Sequence[float] | None = None) -> Choice:
    """One of the categories. A dict or list with domains in it is a branch, whose parameters exist only while it is chosen."""
    settled = _settled("choice", "categories", categories)
    if weights is None:
        return Choice(settled)
    weighed = tuple(_real("choice", "weights", weight) for weight in _settled("choice", "weights", weights))
    if len(weighed) != len(settled):
        raise SpaceError(f"choice: weights has {len(weighed)} items and categories {len(settled)}; give one weight for each")
    if min(weighed) < 0 or not 0 < sum(weighed) < math.inf:
        raise SpaceError(f"choice: weights is {list(weighed)}; weights are not negative, and one at least is above zero")
    return Choice(settled, weighed)


def grid_search(values: Sequence[Any]) -> Grid:
    """Every one of the values, num_samples times: for searcher='grid', which is the default where there is one."""
    settled = _settled("grid_search", "values", values)
    if any(map(holds_domain, settled)):
        raise SpaceError("grid_search: values holds a domain, and a grid is of plain values; use choice")
    return Grid(settled)


def sample_from(func: Callable[..., Any]) -> Function:
    """What func(), func(config) or func(config, rng) returns, once the rest of the config is known."""
    if not callable(func):
        raise SpaceError(f"sample_from: func is {func!r}, which cannot be called; give a function of (config) or (config, rng)")
    return Function(func)


def _real(name: str, argument: str, value: Any) -> float:
    try:
        x = float(number(value))
    except Unfit:
        raise SpaceError(f"{name}: {argument} is {value!r}; it must be a number") from None
    except OverflowError:
        x = math.inf
    if not math.isfinite(x):
        raise SpaceError(f"{name}: {argument} is {value!r}; it must be a finite number")
    return x


def _positive(name: str, argument: str, value: Any) -> float:
    x = _real(name, argument, value)
    if x <= 0:
        raise SpaceError(f"{name}: {argument} is {value!r}; it must be above zero")
    return x


def _whole(name: str, argument: str, value: Any) -> int:
    x = number(value) if isinstance(value, SupportsIndex) and type(value) is not bool else _real(name, argument, value)
    if x != int(x):
        raise SpaceError(f"{name}: {argument} is {value!r}; it must be an integer")
    return int(x)


def _ordered(name: str, lower: Any, upper: Any, *, log: bool, closed: bool) -> None:
    if lower > upper or (lower == upper and not closed):
        advice = "exchange them" if lower > upper else "upper is excluded; for a constant write the value itself"
        raise SpaceError(f"{name}: lower is {lower!r} and upper {upper!r}, and there is nothing between them: {advice}")
    if log and lower <= 0:
        raise SpaceError(f"{name}: lower is {lower!r}, which has no logarithm; it must be above zero")


def _bounds(name: str, lower: Any, upper: Any, *, log: bool = False, closed: bool = False) -> tuple[float, float]:
    low, high = _real(name, "lower", lower), _real(name, "upper", upper)
    _ordered(name, low, high, log=log, closed=closed)
    if math.isinf(high - low):
        raise SpaceError(f"{name}: upper - lower overflows; bring the bounds closer together")
    return low, high


def _stepped(name: str, lower: Any, upper: Any, q: Any, *, log: bool) -> Float:
    low, high = _bounds(name, lower, upper, log=log, closed=True)
    step = _positive(name, "q", q)
    for argument, bound in (("lower", low), ("upper", high)):
        steps = bound / step
        if math.isinf(steps) or not math.isclose(steps, round(steps), rel_tol=1e-9):
            raise SpaceError(f"{name}: q={q!r} does not divide {argument}={bound!r}; both bounds must be multiples of q")
    return Float(low, high, log, step)


def _integers(name: str, lower: Any, upper: Any, q: Any, *, log: bool) -> Integer:
    low, high, step = _whole(name, "lower", lower), _whole(name, "upper", upper), _whole(name, "q", q)
    if step < 1:
        raise SpaceError(f"{name}: q is {q!r}; it must be at least 1")
    _ordered(name, low, high, log=log, closed=step > 1)
    if step == 1:
        return Integer(low, high - 1, log)
    first, last = -(-low // step) * step, high // step * step
    if first > last:
        raise SpaceError(f"{name}: no multiple of q={step} lies between {low} and {high}; choose a smaller q or wider bounds")
    return Integer(first, last, log, step)


def _settled(name: str, argument: str, values: Any) -> tuple[Any, ...]:
    """The categories or values as plain JSON, but for the domains in them."""
    # A set has another order in another process.
    if isinstance(values, (str, bytes, dict, set, frozenset)) or not hasattr(values, "__iter__"):
        raise SpaceError(f"{name}: {argument} is {values!r}; it must be a list")
    try:
        settled = tuple(plain(list(values), keep=Domain))
    except Unfit as unfit:
        raise SpaceError(f"{name}: {argument} at {name_of_path(unfit.path)!r}: {unfit.why}") from None
    if not settled:
        raise SpaceError(f"{name}: {argument} is empty; give one at least")
    return settled
