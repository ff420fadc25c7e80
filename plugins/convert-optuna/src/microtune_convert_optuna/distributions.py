"""A parameter of the space as a distribution of Optuna and back, with the values that people know.

What Optuna has no word for: a step in a logarithmic range is left out, a normal is the range of six standard deviations, and a
category that is a list or a dict is its JSON text. A branch of a conditional choice is what its constants say, or its index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from microtune import Choice, Float, Grid, Integer, Normal, Space, choice

_TAILS = 6  # standard deviations


class Dimension(NamedTuple):
    """`write` turns a value of the space into Optuna's."""

    distribution: BaseDistribution
    write: Callable[[Any], Any]


def dimensions(space: Space, seen: Sequence[dict[str, Any]]) -> dict[str, Dimension]:
    """Of every parameter; `seen` are the values of each trial, all of which a range without bounds must hold."""
    return {each.name: _mapped(each.domain, [s[each.name] for s in seen if each.name in s]) for each in space.parameters()}


def _mapped(domain: Any, seen: list[Any]) -> Dimension:
    if isinstance(domain, Float):
        step = None if domain.log else domain.q
        return Dimension(FloatDistribution(domain.lower, domain.upper, log=domain.log, step=step), float)
    if isinstance(domain, Integer):
        step = 1 if domain.log else domain.q
        return Dimension(IntDistribution(domain.lower, domain.upper, log=domain.log, step=step), int)
    if isinstance(domain, Normal):
        reach = domain.sd * _TAILS
        low, high = min([domain.mean - reach, *seen]), max([domain.mean + reach, *seen])
        return Dimension(FloatDistribution(low, high), float)
    if isinstance(domain, Choice) and domain.conditional:
        labels = _labels(domain.categories)
        return Dimension(CategoricalDistribution(labels), labels.__getitem__)
    values = domain.values if isinstance(domain, Grid) else domain.categories
    return _categorical(list(values))


def _categorical(values: list[Any]) -> Dimension:
    simple = all(value is None or isinstance(value, (bool, int, float, str)) for value in values)
    kinds = {type(value) is bool for value in values if value in (0, 1)} if simple else {True}
    if simple and len(kinds) < 2:  # Optuna cannot tell True from 1
        return Dimension(CategoricalDistribution(list(dict.fromkeys(values))), lambda value: value)
    return Dimension(CategoricalDistribution(list(dict.fromkeys(map(_as_text, values)))), _as_text)


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _labels(branches: Iterable[Any]) -> list[Any]:
    labels = []
    for branch in branches:
        items = branch.items() if isinstance(branch, dict) else [("", branch)]
        constants = [(key, value) for key, value in items if isinstance(value, (bool, int, float, str))]
        labels.append(" ".join(f"{key}={value}" if key else str(value) for key, value in constants))
    return labels if all(labels) and len(set(labels)) == len(labels) else list(range(len(labels)))


# --- back ------------------------------------------------------------------------------------------------------------


def space_of(trials: Sequence[dict[str, BaseDistribution]]) -> Space:
    """What the trials of a study were drawn from: the parameters that all of them have. Others depend on what Optuna does not
    write down, and are left undeclared. A range that changed on the way is as wide as all of them together."""
    names = [name for name in (trials[0] if trials else ()) if all(name in trial for trial in trials)]
    return Space({name: _joined(list({str(t[name]): t[name] for t in trials}.values())) for name in names})


def _joined(found: list[Any]) -> Any:
    if any(isinstance(each, CategoricalDistribution) for each in found):
        return choice(list({_as_text(value): value for each in found for value in _choices(each)}.values()))
    low, high = min(each.low for each in found), max(each.high for each in found)
    log = all(each.log for each in found)
    steps = {each.step for each in found}
    step = steps.pop() if len(steps) == 1 else None
    # A multiple of the step is what ours are; Optuna counts from `low`.
    stepped = step is not None and all(abs(bound / step - round(bound / step)) < 1e-9 for bound in (low, high))
    if all(isinstance(each, IntDistribution) for each in found):
        return Integer(low, high, log, step if stepped and step else 1)
    return Float(float(low), float(high), log, step if stepped else None)


def _choices(distribution: BaseDistribution) -> Sequence[Any]:
    return distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
