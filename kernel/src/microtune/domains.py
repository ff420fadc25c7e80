"""What a parameter may be: the domains, frozen values that adapters read. Float, Normal and Integer are in `ranges.py`."""

from __future__ import annotations

import inspect
import math
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from microtune.faults import SpaceError
from microtune.plain import Unfit, canonical, copied, is_number, is_plain, number, plain
from microtune.ranges import Domain, Float, Integer, Normal, encode, holds_domain

if TYPE_CHECKING:
    import random

__all__ = [
    "Choice", "Domain", "Float", "Function", "Grid", "Integer", "Lost", "Normal", "decode", "encode", "functions",
    "holds_domain", "name_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Choice(Domain):
    """One of the categories. Where one of them holds a domain the choice is `conditional`, and each is a branch.

    A plain choice samples, contains and projects categories; a conditional one samples, contains and projects the INDEX of a
    branch, whose parameters `Space.parameters` lists behind it.
    """

    categories: tuple[Any, ...]
    weights: tuple[float, ...] | None = None
    conditional: bool = field(init=False, compare=False, default=False)
    _index: dict[Any, int] = field(init=False, compare=False, default_factory=dict)
    _cumulated: tuple[float, ...] = field(init=False, compare=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditional", any(map(holds_domain, self.categories)))
        if not self.conditional:
            object.__setattr__(self, "_index", _index(self.categories))
        object.__setattr__(self, "_cumulated", tuple(accumulate(self.weights or ())))

    @property
    def size(self) -> int:
        return len(self.categories) if self.conditional else len(self._index)

    def draw(self, rng: random.Random) -> int:
        """The index of a category, by weight."""
        if self.weights is None:
            return rng.randrange(len(self.categories))
        # Rounding must not fall on a category of weight zero behind the last one that can be drawn.
        last = self._cumulated.index(self._cumulated[-1])
        return bisect(self._cumulated, rng.random() * self._cumulated[-1], 0, last)

    def sample(self, rng: random.Random) -> Any:
        index = self.draw(rng)
        return index if self.conditional else copied(self.categories[index])

    def contains(self, value: Any) -> bool:
        if self.conditional:
            return type(value) is int and 0 <= value < len(self.categories)
        return is_plain(value) and canonical(value) in self._index

    def project(self, value: Any) -> Any:
        if self.conditional:
            return self._branch(number(value))
        try:
            found = self._index.get((type(value) is bool, value))
        except TypeError:  # a list or a dict
            found = None
        return copied(self.categories[self._nearest(plain(value)) if found is None else found])

    def _nearest(self, value: Any) -> int:
        found = self._index.get(canonical(value))
        if found is not None:
            return found
        if value in self.categories:  # 1 for True
            return self.categories.index(value)
        if is_number(value) and math.isfinite(value) and all(map(is_number, self.categories)):
            return min(range(len(self.categories)), key=lambda i: abs(self.categories[i] - value))
        raise Unfit(f"{value!r} is none of the categories")

    def _branch(self, index: int | float) -> int:
        if index not in range(len(self.categories)):
            raise Unfit(f"{index!r} is the index of none of the {len(self.categories)} branches")
        return int(index)

    def __repr__(self) -> str:
        weights = "" if self.weights is None else f", weights={list(self.weights)!r}"
        return f"choice({list(self.categories)!r}{weights})"


@dataclass(frozen=True, slots=True, repr=False)
class Grid(Domain):
    """Values that are tried one after the other, each num_samples times."""

    values: tuple[Any, ...]
    _index: dict[Any, int] = field(init=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _index(self.values))

    @property
    def size(self) -> int:
        return len(self._index)

    def sample(self, rng: random.Random) -> Any:
        raise Unfit("grid_search works with searcher='grid' only; use choice")

    def contains(self, value: Any) -> bool:
        return is_plain(value) and canonical(value) in self._index

    def project(self, value: Any) -> Any:
        found = self._index.get(canonical(plain(value)))
        if found is None:
            raise Unfit(f"{value!r} is not on the grid")
        return copied(self.values[found])

    def __repr__(self) -> str:
        return f"grid_search({list(self.values)!r})"


class Lost:
    """A function of an earlier session, of which JSON keeps only the name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *_: Any) -> Any:
        raise SpaceError(f"{self.name} is a function, and the journal keeps only its name: pass param_space= again")


@dataclass(frozen=True, slots=True, repr=False)
class Function(Domain):
    """A value computed from the rest of the config, by func(), func(config) or func(config, rng)."""

    func: Callable[..., Any]
    _arity: int = field(init=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_arity", _arity(self.func))

    def compute(self, config: dict[str, Any], rng: random.Random) -> Any:
        return plain(self.func(*(config, rng)[: self._arity]))

    def sample(self, rng: random.Random) -> Any:
        raise Unfit("sample_from reads the rest of the config: only Space.sample and Space.project can compute it")

    def contains(self, value: Any) -> bool:
        return is_plain(value)

    def project(self, value: Any) -> Any:
        return plain(value)

    def to_json(self) -> dict[str, Any]:
        return {"$": "Function", "func": name_of(self.func)}

    def __repr__(self) -> str:
        return f"sample_from({name_of(self.func)})"


_KINDS: dict[str, type[Any]] = {each.__name__: each for each in (Float, Normal, Integer, Choice, Grid)}


def decode(data: Any) -> Any:
    """The part of a space that `encode` wrote."""
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    kind = data.get("$", "dict")
    if kind == "dict":
        return {key: decode(item) for key, item in (data["items"] if "$" in data else data).items()}
    if kind == "Function":
        return Function(Lost(data["func"]))
    options = {key: decode(item) for key, item in data.items() if key != "$"}
    return _KINDS[kind](**{key: tuple(item) if isinstance(item, list) else item for key, item in options.items()})


def functions(spec: Any) -> Iterator[Callable[..., Any]]:
    """Those of every `sample_from` in this part of a space."""
    if isinstance(spec, Function):
        yield spec.func
    elif isinstance(spec, Choice):
        yield from functions(list(spec.categories))
    elif isinstance(spec, (dict, list)):
        for item in spec.values() if isinstance(spec, dict) else spec:
            yield from functions(item)


def name_of(func: Callable[..., Any]) -> str:
    """module:qualname, which is the same in the next session; the repr of a callable that has none."""
    if isinstance(func, Lost):
        return func.name
    module, name = getattr(func, "__module__", None), getattr(func, "__qualname__", None)
    return f"{module}:{name}" if module and name else repr(func)


def _arity(func: Callable[..., Any]) -> int:
    """How many arguments it must get: none, (config) or (config, rng)."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        raise SpaceError(f"sample_from: the arguments of {func!r} cannot be read; wrap it in a lambda") from None
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) > 2 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise SpaceError(f"sample_from: {name_of(func)}{inspect.signature(func)} must take (), (config) or (config, rng)")
    return len(needed)


def _index(values: tuple[Any, ...]) -> dict[Any, int]:
    """Where each distinct value stands first."""
    return {canonical(values[i]): i for i in reversed(range(len(values)))}
