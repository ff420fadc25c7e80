"""Plain JSON values, of which spaces and configs are made: convert, compare, copy."""

from __future__ import annotations

import math
from typing import Any

from microtune.faults import SpaceError

_ATOMS = frozenset({int, str, bool, type(None)})


class Unfit(SpaceError):
    """A value that cannot be taken, and where inside of it the fault lies; whoever knows its own place says that as well."""

    def __init__(self, why: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(f"at {'/'.join(map(str, path))!r}: {why}" if path else why)
        self.why = why
        self.path = path


def plain(value: Any, keep: type | None = None) -> Any:
    """A copy in plain JSON values: tuples become lists, numpy's numbers Python's. Instances of `keep` stay; else Unfit."""
    if type(value) in _ATOMS or (keep is not None and isinstance(value, keep)):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise Unfit("NaN equals nothing, itself included: use None")
        return float(value)
    if isinstance(value, dict):
        return {_text(key): _inside(item, key, keep) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inside(item, i, keep) for i, item in enumerate(value)]
    for kind in (bool, int, str):  # an IntEnum, a numpy string
        if isinstance(value, kind):
            return kind(value)
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        return plain(value.item())  # numpy and torch, neither imported here
    raise Unfit(
        f"{value!r} is a {type(value).__name__}, and a config is plain JSON (numbers, strings, booleans, None, lists, dicts): "
        "pass a name and look the object up in the trainable"
    )


def is_plain(value: Any) -> bool:
    """Native JSON values throughout: nothing that `plain` would change."""
    if type(value) in _ATOMS:
        return True
    if type(value) is float:
        return not math.isnan(value)
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    return type(value) is list and all(map(is_plain, value))


def copied(value: Any) -> Any:
    """A copy that shares no list and no dict: a trainable may do with its config what it likes."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if type(value) is list else value


def canonical(value: Any) -> Any:
    """A hashable stand-in, by which 1 equals 1.0 and True equals neither."""
    if type(value) is dict:
        return dict, frozenset((key, canonical(item)) for key, item in value.items())
    return (list, *map(canonical, value)) if type(value) is list else (type(value) is bool, value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool


def number(value: Any) -> int | float:
    """A Python number, also from numpy's; Unfit if it is none. NaN passes: only a domain knows what to say of it."""
    if not isinstance(value, (int, float)) and callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        value = value.item()
    if not is_number(value):
        raise Unfit(f"{value!r} is not a number")
    return int(value) if isinstance(value, int) else float(value)


def _inside(item: Any, key: str | int, keep: type | None) -> Any:
    try:
        return plain(item, keep)
    except Unfit as unfit:
        raise Unfit(unfit.why, (key, *unfit.path)) from None


def _text(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    raise Unfit(f"the key {key!r} is not a string: JSON has no others")
