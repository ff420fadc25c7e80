"""A search space compiled into a tree of nodes, which do the work of `Space`: one method per question.

A branch of a conditional choice is found by what a config says, complete or not: the branch whose constants agree with it,
the most of them; among several the one that knows the most of its keys; then the one that lacks the fewest; then the one
with the most values in bounds; then the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from microtune.domains import Choice, Domain, Function, Grid, holds_domain
from microtune.faults import SpaceError
from microtune.nodes import MISSING, Computed, Condition, Constant, Draft, Fit, Leaf, Parameter, Path, name_of_path
from microtune.plain import Unfit, is_plain, plain


class Branches:
    """A conditional choice."""

    def __init__(self, path: Path, choice: Choice, condition: Condition | None) -> None:
        self.path = path
        self.name = name_of_path(path)
        self.choice = choice
        self.condition = condition
        self.branches = [grow(each, (*path, i), (self.name, i)) for i, each in enumerate(choice.categories)]

    @property
    def size(self) -> int | None:
        sizes = [branch.size for branch in self.branches]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def find(self, given: Any) -> int:
        """The index of the branch that this value belongs to (see the head of this file)."""
        fits = [(fit, -i) for i, branch in enumerate(self.branches) if (fit := branch.fit(given)) is not None]
        if not fits:
            raise Unfit(f"{given!r} belongs to none of the branches")
        return -max(fits)[1]

    def sample(self, draft: Draft) -> Any:
        return self.branches[self.choice.draw(draft.rng)].sample(draft)

    def project(self, given: Any, draft: Draft) -> Any:
        return self.branches[self.find(given)].project(given, draft)

    def contains(self, given: Any) -> bool:
        return any(branch.contains(given) for branch in self.branches)

    def fit(self, given: Any) -> Fit | None:
        return max((fit for branch in self.branches if (fit := branch.fit(given)) is not None), default=None)

    def assemble(self, values: Mapping[str, Any]) -> Any:
        if self.name not in values:
            return MISSING
        return self.branches[self.choice.project(values[self.name])].assemble(values)

    def flatten(self, given: Any, into: dict[str, Any]) -> None:
        into[self.name] = index = self.find(given)
        self.branches[index].flatten(given, into)

    def parameters(self) -> Iterator[Parameter]:
        yield Parameter(self.path, self.name, self.choice, self.condition)
        for branch in self.branches:
            yield from branch.parameters()

    def __repr__(self) -> str:
        return repr(self.choice)


class Group:
    """A dict or a list with domains somewhere inside. In a branch it knows all its keys; elsewhere strangers may pass."""

    def __init__(self, path: Path, spec: dict[str, Any] | list[Any], condition: Condition | None) -> None:
        self.path = path
        self.listed = isinstance(spec, list)
        self.closed = condition is not None
        items: Any = enumerate(spec) if self.listed else spec.items()  # type: ignore[union-attr]
        self.children: dict[Any, Node] = {key: grow(item, (*path, key), condition) for key, item in items}
        # key, node, and of a leaf the domain's own method, which saves a call per parameter
        self._rows = [
            (key, node, node.domain.project if isinstance(node, Leaf) else None) for key, node in self.children.items()
        ]

    @property
    def size(self) -> int | None:
        product = 1
        for node in self.children.values():
            if node.size is None:
                return None
            product *= node.size
        return product

    def sample(self, draft: Draft) -> Any:
        return self.project([] if self.listed else {}, draft)

    def project(self, given: Any, draft: Draft) -> Any:
        given = self._items(given)
        out: Any = [None] * len(self._rows) if self.listed else {}
        strangers = len(given) - len(self._rows)
        key, node = "", None
        try:
            for key, node, project in self._rows:
                value = given.get(key, MISSING)
                if value is MISSING:
                    strangers += key not in given
                    value = node.sample(draft)
                elif project is not None:
                    out[key] = project(value)
                    continue
                else:
                    value = node.project(value, draft)
                out[key] = value
                if type(value) is Computed:
                    draft.late.append((out, key))
            if strangers and not self.closed:
                node = None
                for key in given:
                    if key not in self.children:
                        out |= plain({key: given[key]})
        except Unfit as unfit:
            own = () if node is None else (key,)
            allowed = "" if node is None else f"; allowed: {_shortened(repr(node))}"
            raise SpaceError(f"config {name_of_path((*self.path, *own, *unfit.path))!r}: {unfit.why}{allowed}") from None
        return out

    def contains(self, given: Any) -> bool:
        if type(given) is not (list if self.listed else dict):
            return False
        given = self._items(given)
        if any(key not in given or not node.contains(given[key]) for key, node in self.children.items()):
            return False
        strangers = given.keys() - self.children.keys()
        return not strangers if self.closed else is_plain({key: given[key] for key in strangers})

    def fit(self, given: Any) -> Fit | None:
        try:
            given = self._items(given)
        except Unfit:
            return None
        constants = bounded = 0
        unknown = len(given.keys() - self.children.keys())
        missing = len(self.children.keys() - given.keys())
        for key, node in self.children.items():
            value = given.get(key, MISSING)
            if value is MISSING:
                continue
            fit = node.fit(value)
            if fit is None:
                return None
            constants, unknown, missing, bounded = (
                constants + fit[0], unknown - fit[1], missing - fit[2], bounded + fit[3]
            )  # fmt: skip
        return constants, -unknown, -missing, bounded

    def assemble(self, values: Mapping[str, Any]) -> Any:
        made = {key: node.assemble(values) for key, node in self.children.items()}
        return list(made.values()) if self.listed else {k: value for k, value in made.items() if value is not MISSING}

    def flatten(self, given: Any, into: dict[str, Any]) -> None:
        given = self._items(given)
        for key, node in self.children.items():
            value = given.get(key, MISSING)
            if value is not MISSING:
                node.flatten(value, into)

    def parameters(self) -> Iterator[Parameter]:
        for node in self.children.values():
            yield from node.parameters()

    def _items(self, given: Any) -> Any:
        if self.listed:
            if isinstance(given, (list, tuple)) and len(given) <= len(self.children):
                return dict(enumerate(given))
            raise Unfit(f"{given!r} is not a list of at most {len(self.children)} items")
        if isinstance(given, dict):
            return given
        raise Unfit(f"{given!r} is not a dict")

    def __repr__(self) -> str:
        return repr(list(self.children.values()) if self.listed else self.children)


Node: TypeAlias = Constant | Leaf | Computed | Branches | Group


def grow(spec: Any, path: Path = (), condition: Condition | None = None) -> Node:
    """The node of this part of a space, whose constants are plain already."""
    if isinstance(spec, Function):
        return Computed(path, spec)
    if isinstance(spec, Choice) and spec.conditional:
        return Branches(path, spec, condition)
    if isinstance(spec, Domain):
        if isinstance(spec, Grid) and condition is not None:
            raise SpaceError(f"{name_of_path(path)!r}: grid_search inside a choice; use choice there, or grid_search outside")
        return Leaf(path, spec, condition)
    # A dict in a branch is a group even without domains, for then a config that says more than it may still belongs to it.
    in_branch = condition is not None and isinstance(spec, dict)
    return Group(path, spec, condition) if in_branch or holds_domain(spec) else Constant(spec)


def _shortened(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]} ..."
