"""A parameter of the space as Optuna sees it: a distribution, and the way there and back.

Optuna has no step in a logarithmic range, and rounds others in floating point: what is quantised becomes the integer k of the
multiple k * q. A normal becomes its own quantile, so that a draw before there is a model follows it. A category becomes its
index, since Optuna takes only simple values; it knows no weights, and only those of zero are heeded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from microtune import Choice, Float, Integer, Normal, Space

TAIL = NormalDist().cdf(-6)  # of a normal, beyond which quantiles cannot be told from 0 and 1


class Dimension(NamedTuple):
    """`read` turns what Optuna suggests into a value of the domain, `write` the other way."""

    name: str
    condition: tuple[str, int] | None
    distribution: BaseDistribution
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def dimensions(space: Space) -> list[Dimension]:
    return [Dimension(each.name, each.condition, *_mapped(each.domain)) for each in space.parameters()]


def suggest(trial: optuna.Trial, dimensions: list[Dimension]) -> dict[str, Any]:
    """The active parameters by name, drawn one after the other, as an objective function of Optuna would."""
    values: dict[str, Any] = {}
    for name, condition, distribution, read, _ in dimensions:
        if condition is None or values.get(condition[0]) == condition[1]:
            values[name] = read(_suggest(trial, name, distribution))
    return values


def written(values: dict[str, Any], dimensions: list[Dimension]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Optuna's parameters and distributions of these active ones, in the order of `suggest`."""
    params, distributions = {}, {}
    for name, _, distribution, _, write in dimensions:
        if name in values:
            params[name] = write(values[name])
            distributions[name] = distribution
    return params, distributions


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _mapped(domain: Any) -> tuple[BaseDistribution, Callable[[Any], Any], Callable[[Any], Any]]:
    if isinstance(domain, Choice):
        return _categorical(domain)
    if isinstance(domain, Normal):
        normal = NormalDist(domain.mean, domain.sd)
        return FloatDistribution(TAIL, 1 - TAIL), normal.inv_cdf, lambda x: min(max(normal.cdf(x), TAIL), 1 - TAIL)
    if isinstance(domain, Float) and domain.q is None:
        return FloatDistribution(domain.lower, domain.upper, log=domain.log), float, float
    assert isinstance(domain, (Float, Integer)), domain
    q: Any = domain.q
    if isinstance(domain, Integer):  # divided as an integer, since x / q would lose the last digits of a large one
        return IntDistribution(domain.lower // q, domain.upper // q, log=domain.log), lambda k: k * q, lambda x: x // q
    first, last = round(domain.lower / q), round(domain.upper / q)
    return IntDistribution(first, last, log=domain.log), lambda k: k * q, lambda x: round(x / q)


def _categorical(domain: Choice) -> tuple[BaseDistribution, Callable[[Any], Any], Callable[[Any], Any]]:
    weights = domain.weights or [1] * len(domain.categories)
    possible = tuple(i for i, weight in enumerate(weights) if weight > 0)
    distribution = CategoricalDistribution(possible)
    if domain.conditional:
        return distribution, int, int
    indices = {_text(domain.categories[i]): i for i in reversed(range(len(domain.categories)))}
    return distribution, lambda i: domain.categories[i], lambda category: indices[_text(category)]


def _text(category: Any) -> str:
    """By which 1 and True differ, and lists and dicts can be looked up."""
    return json.dumps(category, sort_keys=True)
