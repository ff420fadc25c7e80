"""The search space: what configs it has, and the projection of any other onto it.

    {"lr": loguniform(1e-5, 1e-1), "opt": choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam"}])}

A config says by its values which branch of a conditional choice it took: {"lr": 0.01, "opt": {"kind": "adam"}}; `tree.py`
has the rule. Configs are plain JSON; tuples become lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from microtune.domains import Domain, Grid, Lost, decode, encode, functions, name_of
from microtune.faults import SpaceError
from microtune.nodes import Computed, Draft, Parameter, name_of_path
from microtune.plain import Unfit, plain
from microtune.primitives import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)  # fmt: skip
from microtune.tree import Group

if TYPE_CHECKING:
    import random

__all__ = [
    "Space", "choice", "grid_search", "lograndint", "loguniform", "qlograndint", "qloguniform", "qrandint", "qrandn",
    "quniform", "randint", "randn", "sample_from", "uniform",
]  # fmt: skip

Config: TypeAlias = dict[str, Any]
_NO_CELL: Mapping[str, Any] = {}


class Space:
    """The declared space: what configs it has, and the projection of any other config onto it."""

    def __init__(self, spec: Config, constraints: Sequence[Callable[[Config], bool]] = ()) -> None:
        if not isinstance(spec, dict):
            raise SpaceError(f"the search space is {spec!r}; it must be a dict of parameters")
        try:
            self.spec: Config = plain(spec, keep=Domain)
        except Unfit as unfit:
            raise SpaceError(f"the search space at {name_of_path(unfit.path)!r}: {unfit.why}") from None
        self.constraints = tuple(constraints)
        self._tree = Group((), self.spec, None)
        self._parameters = list(self._tree.parameters())
        self._names = frozenset(parameter.name for parameter in self._parameters)
        self._grids = {each.name: each.domain.values for each in self._parameters if isinstance(each.domain, Grid)}

    def sample(self, rng: random.Random, grid: Mapping[str, Any] = _NO_CELL) -> Config:
        """A config drawn from the space; `grid` is one of `cells()`."""
        return self._finished({}, Draft(rng, grid, []))

    def project(self, config: Config, rng: random.Random) -> Config:
        """The config of the space that is nearest to this one.

        Numbers are clipped, rounded and quantised; constants and missing parameters are filled in, the latter drawn with
        `rng`; of a conditional choice only the active branch remains. Keys that the space does not declare pass as they are,
        except inside a branch. SpaceError where a value has no nearest one, or is not JSON.
        """
        return self._finished(config, Draft(rng, _NO_CELL, []))

    def contains(self, config: Config) -> bool:
        """Whether `project` would change nothing; constraints are not asked."""
        return self._tree.contains(config)

    def feasible(self, config: Config) -> bool:
        """Whether every constraint holds."""
        for constraint in self.constraints:
            try:
                if not constraint(config):
                    return False
            except SpaceError:  # a lost function, which says what to do
                raise
            except Exception as error:
                raise SpaceError(
                    f"the constraint {name_of(constraint)} raised {type(error).__name__}: {error} for the config {config!r}"
                ) from error
        return True

    def parameters(self) -> list[Parameter]:
        """The dimensions, in declared order; those of a branch follow their choice. `sample_from` is none."""
        return list(self._parameters)

    def assemble(self, values: Mapping[str, Any]) -> Config:
        """The config with these parameters, by name; of a conditional choice the value is the index of the branch.

        Values of branches that were not chosen are ignored, missing ones are left to `project`.
        """
        unknown = values.keys() - self._names
        if unknown:
            raise SpaceError(f"the space has no parameter {sorted(unknown)}; it has {sorted(self._names)}")
        config: Config = self._tree.assemble(values)
        return config

    def flatten(self, config: Config) -> dict[str, Any]:
        """The active parameters by name, the inverse of `assemble`: of a conditional choice the index of the branch."""
        values: dict[str, Any] = {}
        try:
            self._tree.flatten(config, values)
        except Unfit as unfit:
            raise SpaceError(f"the config {config!r} is not in the space: {unfit.why}") from None
        return values

    @property
    def size(self) -> int | None:
        """The number of distinct configs, branches counted as disjoint; None where there is no end to them."""
        return self._tree.size

    @property
    def grid_size(self) -> int:
        return self._cells_left({})

    def cells(self, point: Config | None = None) -> Iterator[dict[str, Any]]:
        """What each cell of the grid sets, by name, the last one declared varying fastest; but for what the point sets."""
        grids = self._grids_left(point or {})
        return (dict(zip(grids, values, strict=True)) for values in product(*grids.values()))

    def count(self, num_samples: int | None, points: Sequence[Config] = ()) -> int | None:
        """How many trials that is, as Ray Tune counts: a point takes the place of one sample, and is tried in every cell of
        the grid that it leaves open; points beyond num_samples are tried all the same."""
        if num_samples is None:
            return None
        return sum(map(self._cells_left, points)) + max(0, num_samples - len(points)) * self.grid_size

    @property
    def opaque(self) -> bool:
        """Whether it was read from JSON and some function of it is known by name only."""
        return any(isinstance(func, Lost) for func in (*self.constraints, *functions(self.spec)))

    def to_json(self) -> dict[str, Any]:
        return {"spec": encode(self.spec), "constraints": [name_of(each) for each in self.constraints]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Space:
        return cls(decode(data["spec"]), [Lost(name) for name in data["constraints"]])

    def _finished(self, config: Config, draft: Draft) -> Config:
        try:
            out: Config = self._tree.project(config, draft)
        except Unfit as unfit:
            raise SpaceError(f"the config {unfit.why}") from None
        if draft.late:
            _compute(out, draft)
        return out

    def _grids_left(self, point: Config) -> dict[str, tuple[Any, ...]]:
        given = self.flatten(point) if point and self._grids else {}
        return {name: values for name, values in self._grids.items() if name not in given}

    def _cells_left(self, point: Config) -> int:
        return math.prod(len(values) for values in self._grids_left(point).values())

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other.to_json() if isinstance(other, Space) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        constraints = f", constraints=[{', '.join(map(name_of, self.constraints))}]" if self.constraints else ""
        return f"Space({self.spec!r}{constraints})"


class _Reading(dict[str, Any]):
    """The config as a `sample_from` sees it: to read a value that is not known yet is an error, and it is asked again later."""

    def __getitem__(self, key: str) -> Any:
        return _known(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        return _known(super().get(key, default))


class _NotYet(Exception):
    """The value is still to be computed."""


def _known(value: Any) -> Any:
    if type(value) is Computed:
        raise _NotYet(value.name)
    return _Reading(value) if type(value) is dict else value


def _compute(config: Config, draft: Draft) -> None:
    """Fill in what `sample_from` computes, in whatever order the functions need each other's values."""
    late = draft.late
    while late:
        stuck: dict[str, Exception] = {}
        waiting = []
        for place, key in late:
            node = place[key]
            try:
                place[key] = node.function.compute(_Reading(config), draft.rng)
            except Exception as error:
                stuck[node.name] = error
                waiting.append((place, key))
        if len(waiting) == len(late):
            raise _unresolved(stuck)
        late = waiting


def _unresolved(stuck: dict[str, Exception]) -> SpaceError:
    for name, error in stuck.items():
        if not isinstance(error, _NotYet):
            text = str(error) if isinstance(error, SpaceError) else f"{type(error).__name__}: {error}"
            failed = SpaceError(f"sample_from at {name!r} failed: {text}")
            failed.__cause__ = error
            return failed
    needs = ", ".join(f"{name!r} reads {str(error)!r}" for name, error in stuck.items())
    return SpaceError(f"the sample_from functions wait for each other: {needs}; compute one of them from drawn parameters only")
