"""Explore: the config of the donor, moved a little within the declared space."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from microtune import Choice, Float, Grid, Integer, Normal, OptionError, Space

Config = dict[str, Any]
Explore = Callable[[Config, random.Random], Config]

FEASIBLE = 100  # draws before a config that breaks no constraint is given up


def tunable(space: Space, mutations: Sequence[str] | None, who: str) -> frozenset[str]:
    """The names of the parameters that may change; OptionError for one that the space does not have."""
    names = [parameter.name for parameter in space.parameters()]
    if mutations is None:
        return frozenset(names)
    unknown = sorted(set(mutations) - set(names))
    if unknown:
        raise OptionError(
            f"{who}: mutations={list(mutations)} names {unknown}; the parameters of the space are {names}"
        )
    return frozenset(mutations)


def explored(space: Space, config: Config, rng: random.Random, change: Callable[[dict[str, Any]], Any]) -> Config:
    """`config` with its parameters changed by `change`, projected; itself where every draw breaks a constraint.

    What hangs on a branch that was left goes with it, and what the new branch needs is drawn. Keys that the space does not
    declare are copied; a `sample_from` is computed again.
    """
    strangers = {key: value for key, value in config.items() if key not in space.spec}
    for _ in range(FEASIBLE):
        values = space.flatten(config)
        change(values)
        moved = space.project({**strangers, **space.assemble(values)}, rng)
        if space.feasible(moved):
            return moved
    return config


def perturb(
    space: Space,
    names: frozenset[str],
    values: dict[str, Any],
    rng: random.Random,
    factors: Sequence[float],
    resample: float,
) -> None:
    """One step for each of these parameters that is active, in place; with the probability `resample` a new draw."""
    for parameter in space.parameters():
        name, domain = parameter.name, parameter.domain
        if name not in values or name not in names:
            continue
        if rng.random() < resample:
            values[name] = rng.choice(domain.values) if isinstance(domain, Grid) else domain.sample(rng)
        else:
            values[name] = step(domain, values[name], rng.choice(factors))


def step(domain: Any, value: Any, factor: float) -> Any:
    """`value` moved up (factor > 1) or down (factor < 1) in its domain, and clipped to it.

    A number is multiplied: in a logarithmic domain that is a step of equal length everywhere. In a linear one the step is
    no shorter than that from a tenth of the range, or 0 would never be left; in a quantised one it is at least one quantum.
    A choice of numbers moves to the next one; what has no order stays.
    """
    if factor == 1:
        return value
    if isinstance(domain, (Choice, Grid)):
        return neighbour(domain, value, 1 if factor > 1 else -1)
    if not isinstance(domain, (Float, Integer, Normal)):
        return value
    if isinstance(domain, Normal):
        moved = value + (factor - 1) * max(abs(value), domain.sd)
    elif domain.log:
        moved = value * factor
    else:
        moved = value + (factor - 1) * max(abs(value), (domain.upper - domain.lower) / 10)
    if domain.q is not None and abs(moved - value) < domain.q:
        moved = value + math.copysign(domain.q, factor - 1)
    return domain.project(moved)


def neighbour(domain: Choice | Grid, value: Any, direction: int) -> Any:
    """The next number up or down, itself at the end; itself where not all of them are numbers."""
    if isinstance(domain, Grid):
        values = domain.values
    else:
        weights = domain.weights or [1.0] * len(domain.categories)
        values = tuple(each for each, weight in zip(domain.categories, weights, strict=True) if weight > 0)
    if getattr(domain, "conditional", False) or not all(type(each) in (int, float) for each in values):
        return value
    further = [each for each in values if (each - value) * direction > 0]
    return min(further, key=lambda each: abs(each - value)) if further else value
