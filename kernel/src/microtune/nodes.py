"""The simple nodes of a compiled search space: a constant, a parameter, a computed value. `tree.py` has the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from microtune.domains import Domain, Function
from microtune.plain import Unfit, canonical, copied, is_plain, plain

if TYPE_CHECKING:
    import random

Path: TypeAlias = tuple[str | int, ...]
Condition: TypeAlias = tuple[str, int]
# How well a branch fits: constants that agree, - unknown keys, - missing keys, values in bounds.
Fit: TypeAlias = tuple[int, int, int, int]


def name_of_path(path: Path) -> str:
    """The name of what is there, by which two places never share one."""
    return "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)


class Missing(Enum):
    """What a config does not say; it also keeps the place of an unknown item in an assembled list. A copy is the same."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Parameter(NamedTuple):
    """One dimension of the space.

    `path` leads to it, with the index of the branch behind each conditional choice; `name` is the path joined by "/", in
    which a key's own "/" is ~1 and "~" is ~0 (RFC 6901). `condition`: it exists only while the choice of that name has that
    branch; None: always.
    """

    path: Path
    name: str
    domain: Domain
    condition: Condition | None


class Draft(NamedTuple):
    """A config in the making. `cell`: values of the grid, by name. `late`: the places that wait for the rest of it."""

    rng: random.Random
    cell: Mapping[str, Any]
    late: list[tuple[Any, Any]]


class Unchosen:
    """A node that no searcher decides."""

    def flatten(self, given: Any, into: dict[str, Any]) -> None:
        pass

    def parameters(self) -> Iterator[Parameter]:
        return iter(())


class Constant(Unchosen):
    size: int | None = 1

    def __init__(self, value: Any) -> None:
        self.value = value

    def sample(self, draft: Draft) -> Any:
        return copied(self.value)

    def project(self, given: Any, draft: Draft) -> Any:
        return copied(self.value)

    def contains(self, given: Any) -> bool:
        return is_plain(given) and canonical(given) == canonical(self.value)

    def fit(self, given: Any) -> Fit | None:
        try:
            return (1, 0, 0, 0) if canonical(plain(given)) == canonical(self.value) else None
        except Unfit:
            return None

    def assemble(self, values: Mapping[str, Any]) -> Any:
        return copied(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


class Leaf:
    """A parameter without branches."""

    def __init__(self, path: Path, domain: Domain, condition: Condition | None) -> None:
        self.path = path
        self.name = name_of_path(path)
        self.domain = domain
        self.condition = condition
        self.size = domain.size

    def sample(self, draft: Draft) -> Any:
        if self.name in draft.cell:
            return self.domain.project(draft.cell[self.name])
        return self.domain.sample(draft.rng)

    def project(self, given: Any, draft: Draft) -> Any:
        return self.domain.project(given)

    def contains(self, given: Any) -> bool:
        return self.domain.contains(given)

    def fit(self, given: Any) -> Fit | None:
        if self.domain.contains(given):
            return (0, 0, 0, 1)
        try:
            self.domain.project(given)
        except Unfit:
            return None
        return (0, 0, 0, 0)

    def assemble(self, values: Mapping[str, Any]) -> Any:
        return values.get(self.name, MISSING)

    def flatten(self, given: Any, into: dict[str, Any]) -> None:
        into[self.name] = given

    def parameters(self) -> Iterator[Parameter]:
        yield Parameter(self.path, self.name, self.domain, self.condition)

    def __repr__(self) -> str:
        return repr(self.domain)


class Computed(Unchosen):
    """A `sample_from`. While a config is in the making the node itself holds the place of its value."""

    size: int | None = None

    def __init__(self, path: Path, function: Function) -> None:
        self.name = name_of_path(path)
        self.function = function

    def sample(self, draft: Draft) -> Any:
        return self

    def project(self, given: Any, draft: Draft) -> Any:
        return plain(given)

    def contains(self, given: Any) -> bool:
        return is_plain(given)

    def fit(self, given: Any) -> Fit | None:
        return (0, 0, 0, 0)

    def assemble(self, values: Mapping[str, Any]) -> Any:
        return MISSING

    def __repr__(self) -> str:
        return repr(self.function)
