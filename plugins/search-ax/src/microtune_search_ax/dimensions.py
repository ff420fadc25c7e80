"""The whole space as Ax has it. What has one value only is left out, and so are categories of weight zero."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from microtune import Choice, OptionError, Space, SpaceError
from microtune_search_ax.parameters import Category, Outside, Parameter, key_of, parameter_of

if TYPE_CHECKING:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

Point: TypeAlias = dict[str, int | float]  # by the names that Ax has


class Endless(Exception):
    """There are infinitely many points."""


class Dimensions:
    """The whole space for Ax. Parameters of a branch depend on the choice; those of weight zero are left out."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.by_name: dict[str, Parameter] = {}
        self.fixed: dict[str, Any] = {}
        places: dict[str, list[int]] = {}  # of each conditional choice, the branches that Ax has
        conditions: dict[str, tuple[str, int] | None] = {}  # of the same, what it depends on itself
        for number, parameter in enumerate(space.parameters()):
            domain, condition = parameter.domain, parameter.condition
            if condition is not None and condition[1] not in places.get(condition[0], ()):
                continue
            values = _likely(domain) if isinstance(domain, Choice) else []
            if isinstance(domain, Choice) and domain.conditional:
                places[parameter.name] = values
                conditions[parameter.name] = condition
            if domain.size == 1 or len(values) == 1:
                self.fixed[parameter.name] = values[0] if values else domain.sample(random.Random(0))
                continue
            dimension = parameter_of(f"p{number}_{re.sub('[^0-9a-zA-Z]+', '_', parameter.name)}", domain, values)
            self.by_name[parameter.name] = dimension
            while condition is not None and condition[0] in self.fixed:  # it depends on what that choice depends on
                condition = conditions[condition[0]]
            if condition is not None:
                choice = self.by_name[condition[0]]
                assert isinstance(choice, Category)
                choice.dependents.setdefault(choice.to_ax(condition[1]), []).append(dimension.name)

    def __len__(self) -> int:
        return len(self.by_name)

    def configs(self) -> list[RangeParameterConfig | ChoiceParameterConfig]:
        return [dimension.config() for dimension in self.by_name.values()]

    @property
    def size(self) -> int | None:
        """The number of points that Ax can propose; None where there is no end to them."""
        named = {dimension.name: dimension for dimension in self.by_name.values()}
        choices = [each for each in named.values() if isinstance(each, Category)]
        dependent = {name for choice in choices for names in choice.dependents.values() for name in names}
        try:
            return math.prod(_count(each, named) for name, each in named.items() if name not in dependent)
        except Endless:
            return None

    def term(self, name: str) -> str:
        """What stands for this parameter in a linear constraint."""
        dimension = self.by_name.get(name)
        if dimension is None:
            numeric = [each for each, dimension in self.by_name.items() if dimension.term is not None]
            raise OptionError(f"parameter_constraints name {name!r}; the parameters that may stand there are {numeric}")
        if dimension.term is None:
            raise OptionError(
                f"parameter_constraints name {name!r}, and {dimension.reason}: Ax takes linear ones of numeric parameters "
                f"only. Give param_space=mt.Space(space, constraints=[...]), which takes any function"
            )
        return dimension.term

    def known(self, point: Point, *, but: Point) -> Point:
        """What Ax has of these values still, without those of another point."""
        names = {dimension.name for dimension in self.by_name.values()} - but.keys()
        return {name: value for name, value in point.items() if name in names}

    def to_ax(self, config: dict[str, Any]) -> Point | None:
        """The active parameters of this config; None where Ax has no such point."""
        try:
            values = self._space.flatten(config)
            if any(name in values and key_of(values[name]) != key_of(fixed) for name, fixed in self.fixed.items()):
                return None
            if values.keys() - self.by_name.keys() - self.fixed.keys():
                return None
            return {self.by_name[name].name: self.by_name[name].to_ax(v) for name, v in values.items() if name in self.by_name}
        except (Outside, SpaceError):
            return None

    def from_ax(self, values: dict[str, Any]) -> dict[str, Any]:
        """The config with these parameters, not yet projected."""
        named = {name: dim.from_ax(values[dim.name]) for name, dim in self.by_name.items() if dim.name in values}
        return self._space.assemble({**self.fixed, **named})


def same(a: Point, b: Point) -> bool:
    """Whether this is one point, but for what a value loses on the way there and back."""
    return a.keys() == b.keys() and all(math.isclose(a[name], b[name], rel_tol=1e-9, abs_tol=1e-12) for name in a)


def _count(dimension: Parameter, named: dict[str, Parameter]) -> int:
    if dimension.size is None:
        raise Endless
    if not isinstance(dimension, Category):
        return dimension.size
    branches = [dimension.dependents.get(place, ()) for place in range(dimension.size)]
    return sum(math.prod(_count(named[name], named) for name in branch) for branch in branches)


def _likely(choice: Choice) -> list[Any]:
    """The categories of some weight, each once; of a conditional choice the indices of the branches."""
    weights: Iterable[float] = choice.weights or (1.0,) * len(choice.categories)
    values = range(len(choice.categories)) if choice.conditional else choice.categories
    return list({key_of(value): value for value, weight in zip(values, weights, strict=True) if weight > 0}.values())
