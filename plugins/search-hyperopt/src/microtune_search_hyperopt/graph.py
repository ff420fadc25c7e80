"""The search space as hyperopt's: an expression with a label for each parameter, and configs as values by label."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from hyperopt import hp

from microtune import Choice, Float, Integer, Normal, Space


class Graph:
    """A label is the name of its parameter; one of a single value has none, since there is nothing to choose.

    simple: without what atpe cannot read, which is hp.pchoice, hp.qnormal and dots in labels.
    """

    def __init__(self, space: Space, *, simple: bool = False) -> None:
        self._space = space
        self._simple = simple
        chosen = [each for each in space.parameters() if each.domain.size != 1 or _conditional(each.domain)]
        self._parameters = {f"p{i}" if simple else each.name: each for i, each in enumerate(chosen)}
        self._places = {
            label: _places(each.domain.categories)
            for label, each in self._parameters.items()
            if isinstance(each.domain, Choice) and not each.domain.conditional
        }
        self.expression = self._under(None)

    @property
    def empty(self) -> bool:
        return not self._parameters

    def config(self, vals: dict[str, list[Any]]) -> dict[str, Any]:
        """The config that hyperopt proposes; what it proposes for branches that it did not choose is dropped."""
        values = {}
        for label, each in self._parameters.items():
            for value in vals[label]:
                if isinstance(each.domain, Choice):
                    index = int(value)
                    values[each.name] = index if each.domain.conditional else each.domain.categories[index]
                else:
                    values[each.name] = float(value)
        return self._space.assemble(values)

    def vals(self, config: dict[str, Any], rng: random.Random | None = None) -> dict[str, list[Any]]:
        """The inverse: [value] by label, [] where the parameter's branch is not active, or a draw where there is an rng."""
        flat = self._space.flatten(config)
        vals = {}
        for label, each in self._parameters.items():
            if each.name in flat:
                value = flat[each.name]
            elif rng is not None:
                value = each.domain.sample(rng)
            else:
                vals[label] = []
                continue
            places = self._places.get(label)
            vals[label] = [value if places is None else places[_spelt(value)]]
        return vals

    def _under(self, condition: tuple[str, int] | None) -> dict[str, Any]:
        """The expression of the parameters that exist under this condition."""
        return {label: self._node(label, each) for label, each in self._parameters.items() if each.condition == condition}

    def _node(self, label: str, parameter: Any) -> Any:
        domain = parameter.domain
        if isinstance(domain, Choice):
            return self._choice(label, parameter.name, domain)
        if not isinstance(domain, Normal):
            return _number(label, domain)
        if domain.q is None or self._simple:
            return hp.normal(label, domain.mean, domain.sd)
        return hp.qnormal(label, domain.mean, domain.sd, domain.q)

    def _choice(self, label: str, name: str, domain: Choice) -> Any:
        indices = range(len(domain.categories))
        options = [self._under((name, i)) if domain.conditional else i for i in indices]
        if domain.weights is None or self._simple:
            return hp.choice(label, options)
        total = sum(domain.weights)
        return hp.pchoice(label, [(weight / total, option) for weight, option in zip(domain.weights, options, strict=True)])


def _number(label: str, domain: Float | Integer) -> Any:
    q = domain.q
    if q is None:
        if domain.log:
            return hp.loguniform(label, math.log(domain.lower), math.log(domain.upper))
        return hp.uniform(label, domain.lower, domain.upper)
    # Hyperopt rounds what it draws, so half a step more at both ends gives the bounds as much room as the other values.
    # An integer is no hp.randint, which knows no order: 7 is no nearer to 8 than to 80 there.
    low, high = domain.lower - q / 2, domain.upper + q / 2
    return hp.qloguniform(label, math.log(low), math.log(high), q) if domain.log else hp.quniform(label, low, high, q)


def _places(categories: tuple[Any, ...]) -> dict[str, int]:
    """Where each distinct category stands first."""
    return {_spelt(categories[i]): i for i in reversed(range(len(categories)))}


def _spelt(category: Any) -> str:
    """Tells 1, True and "1" apart."""
    return json.dumps(category, sort_keys=True)


def _conditional(domain: Any) -> bool:
    return isinstance(domain, Choice) and domain.conditional
