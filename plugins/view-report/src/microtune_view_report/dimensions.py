"""The parameters of a run as axes: numbers, linear or logarithmic, and categories by their label."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from microtune import Choice, Grid, Space, SpaceError
from microtune_view_report.lives import Life
from microtune_view_report.story import Story

_ABSENT = object()  # a category may be None
MOST = 12  # that a figure shows; with more, none can be read


class Dimension(NamedTuple):
    """One parameter. `values` are those of the trials asked about, in their order: None where it is not active.

    categories: the labels, in the order of the axis, where it is no number; a value is then one of them.
    """

    name: str
    log: bool
    categories: list[str] | None
    values: list[Any]

    @property
    def distinct(self) -> int:
        return len({value for value in self.values if value is not None})


def dimensions(story: Story, lives: Sequence[Life]) -> list[Dimension]:
    """Those that vary, in the order of the space; then keys that the space does not declare, such as those of a repeat.

    A config that an earlier space made, which the present one cannot read, has only what the two share.
    """
    space = story.space
    flat = [_flat(space, life.config) for life in lives]
    declared = [
        _dimension(
            _shown(each.path, each.condition, space), [values.get(each.name, _ABSENT) for values in flat], each.domain
        )
        for each in space.parameters()
    ]
    strangers = dict.fromkeys(key for life in lives for key in life.config if key not in space.spec)
    others = [_dimension(key, [life.config.get(key, _ABSENT) for life in lives], None) for key in strangers]
    return [dimension for dimension in [*declared, *others] if dimension.distinct > 1]


def _flat(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    try:
        return space.flatten(config)
    except SpaceError:
        # The branch of a conditional choice is what cannot be told.
        plain = {key: value for key, value in config.items() if not isinstance(value, (dict, list))}
        return {p.name: plain[p.name] for p in space.parameters() if p.name in plain and not _branches(p.domain)}


def _dimension(name: str, values: list[Any], domain: Any) -> Dimension:
    labels: list[str] = []
    label: Callable[[Any], str] = _label
    if _branches(domain):
        labels = branch_labels(domain)
        label = dict(enumerate(labels)).__getitem__
    elif isinstance(domain, (Choice, Grid)):
        labels = [_label(value) for value in (domain.categories if isinstance(domain, Choice) else domain.values)]
    elif all(value is _ABSENT or _is_finite(value) for value in values):
        log = bool(getattr(domain, "log", False)) and all(value is _ABSENT or value > 0 for value in values)
        return Dimension(name, log, None, [None if value is _ABSENT else value for value in values])
    given = [None if value is _ABSENT else label(value) for value in values]
    # What an earlier space had comes behind.
    labels = list(dict.fromkeys([*labels, *(each for each in given if each is not None)]))
    return Dimension(name, False, labels, given)


def branch_labels(choice: Choice) -> list[str]:
    """`sgd` for {"kind": "sgd", "momentum": uniform(0, 1)}: by its first text, else by its number."""
    labels = []
    for index, branch in enumerate(choice.categories):
        texts = [value for value in branch.values() if isinstance(value, str)] if isinstance(branch, dict) else []
        plain = isinstance(branch, (str, int, float)) or branch is None
        labels.append(texts[0] if texts else _label(branch) if plain else f"branch {index}")
    if len(set(labels)) < len(labels):
        labels = [f"{label} ({index})" for index, label in enumerate(labels)]
    return labels


def _shown(path: tuple[Any, ...], condition: tuple[str, int] | None, space: Space) -> str:
    """`opt/momentum (sgd)`: the path without the index of the branch, which goes by its label."""
    if condition is None:
        return "/".join(map(str, path))
    choice, index = condition
    owner = next(each for each in space.parameters() if each.name == choice)
    inner = path[len(owner.path) + 1 :]
    label = branch_labels(owner.domain)[index] if isinstance(owner.domain, Choice) else str(index)
    outer = _shown(owner.path, None, space) if owner.condition is None else _shown(owner.path, owner.condition, space)
    return "/".join([outer, *map(str, inner)]) + f" ({label})"


def _branches(domain: Any) -> bool:
    return isinstance(domain, Choice) and domain.conditional


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
