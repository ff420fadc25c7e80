"""The search space as nevergrad's parametrization, and configs as candidates of it."""

from __future__ import annotations

import json
from typing import Any

import nevergrad as ng
import numpy as np

from microtune import Choice, Normal, Space


class Variables:
    """One variable for each parameter that has more than one value, by name; a branch is a dict inside a choice."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._parameters = [each for each in space.parameters() if each.domain.size != 1 or _conditional(each.domain)]
        self._open = {each.name: _possible(each.domain) for each in self._parameters if isinstance(each.domain, Choice)}
        self.root = self._under(None)

    @property
    def empty(self) -> bool:
        return not self._parameters

    def config(self, candidate: ng.p.Parameter) -> dict[str, Any]:
        """What this candidate proposes, of the active branches."""
        values: dict[str, Any] = {}
        holders: dict[Any, Any] = {None: candidate}
        for each in self._parameters:
            if each.condition not in holders:
                continue
            variable = holders[each.condition][_key(each)]
            if isinstance(each.domain, Choice):
                index = self._open[each.name][variable.index]
                values[each.name] = index if each.domain.conditional else each.domain.categories[index]
                if each.domain.conditional:
                    holders[each.name, index] = variable.choices[variable.index]
            else:
                values[each.name] = variable.value * (each.domain.q or 1)
        return self._space.assemble(values)

    def candidate(self, config: dict[str, Any], parent: ng.p.Parameter) -> ng.p.Parameter | None:
        """A child of `parent` with the values of this config; None where it has a category of weight zero."""
        flat = self._space.flatten(config)
        candidate = parent.spawn_child()
        holders: dict[Any, Any] = {None: candidate}
        for each in self._parameters:
            if each.condition not in holders or each.name not in flat:
                continue
            variable, value = holders[each.condition][_key(each)], flat[each.name]
            if not isinstance(each.domain, Choice):
                variable.value = value if each.domain.q is None else round(value / each.domain.q)
                continue
            index = value if each.domain.conditional else _place(each.domain, value)
            if index not in self._open[each.name]:
                return None
            place = self._open[each.name].index(index)
            variable.indices.value = np.array([place])
            if each.domain.conditional:
                holders[each.name, index] = variable.choices[place]
        return candidate

    def same(self, config: dict[str, Any], other: dict[str, Any]) -> bool:
        """Whether they agree in every variable."""
        return self._space.flatten(config) == self._space.flatten(other)

    def _under(self, condition: tuple[str, int] | None) -> ng.p.Dict:
        """The variables that exist under this condition."""
        return ng.p.Dict(**{_key(each): self._variable(each) for each in self._parameters if each.condition == condition})

    def _variable(self, parameter: Any) -> ng.p.Parameter:
        domain = parameter.domain
        if not isinstance(domain, Choice):
            return _number(domain)
        indices = self._open[parameter.name]
        branches = [self._under((parameter.name, index)) for index in indices] if domain.conditional else len(indices)
        variable = ng.p.Choice(branches)
        if domain.weights is not None:  # the index is drawn from the softmax of these
            weights = np.array([domain.weights[index] for index in indices])
            variable.indices.set_standardized_data(np.log(weights / weights.max()))
        return variable


def _number(domain: Any) -> ng.p.Scalar:
    q = domain.q
    if isinstance(domain, Normal):
        variable = ng.p.Scalar(init=domain.mean / (q or 1)).set_mutation(sigma=domain.sd / (q or 1))
        return variable if q is None else variable.set_integer_casting()
    kind = ng.p.Log if domain.log else ng.p.Scalar
    if q is None:
        return kind(lower=domain.lower, upper=domain.upper)
    # Counted in steps, and half a step wider, so that rounding leaves the bounds as much room as the other values.
    return kind(lower=round(domain.lower / q) - 0.5, upper=round(domain.upper / q) + 0.5).set_integer_casting()


def _possible(domain: Choice) -> list[int]:
    """The indices that may be proposed."""
    weights = domain.weights or [1.0] * len(domain.categories)
    return [index for index, weight in enumerate(weights) if weight > 0]


def _place(domain: Choice, category: Any) -> int:
    """Where this category stands first; 1, True and "1" are three."""
    spelt = json.dumps(category, sort_keys=True)
    return next(i for i, each in enumerate(domain.categories) if json.dumps(each, sort_keys=True) == spelt)


def _key(parameter: Any) -> str:
    """ng.p.Dict takes its variables as keywords, of which one called "self" would be its own."""
    return f"/{parameter.name}"


def _conditional(domain: Any) -> bool:
    return isinstance(domain, Choice) and domain.conditional
