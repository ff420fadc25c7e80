"""Does a value that came as text, TOML or JSON fit an annotation?"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any


class Misfit(Exception):
    """The value does not fit the annotation; the caller knows their names."""


def convert(value: Any, hint: Any) -> Any:
    """The value as the annotation wants it. An annotation that is not plain data (a class, a callable) takes anything."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(value, typing.get_args(hint))
    if origin is typing.Literal:
        return _literal(value, typing.get_args(hint))
    if hint in _SIMPLE:
        return _SIMPLE[hint](value)
    container = origin or hint
    if container in (list, tuple, Sequence):
        return _sequence(value, container, typing.get_args(hint))
    if container in (dict, Mapping):
        return _mapping(value, typing.get_args(hint))
    return value


def _union(value: Any, members: tuple[Any, ...]) -> Any:
    if _spells_none(value) and type(None) in members:
        return None
    fits = []
    for member in members:
        try:
            fits.append(convert(value, member))
        except Misfit:
            continue
    if not fits:
        raise Misfit
    return next((fit for fit in fits if fit is value), fits[0])  # what fits as it is needs no conversion


def _literal(value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if value == choice and type(value) is type(choice):  # 1 == True
            return choice
    raise Misfit


def _sequence(value: Any, container: Any, elements: tuple[Any, ...]) -> Any:
    if not isinstance(value, (list, tuple)):
        raise Misfit
    if container is tuple and elements and elements[-1] is not Ellipsis:
        if len(elements) != len(value):
            raise Misfit
        return tuple(convert(item, element) for item, element in zip(value, elements, strict=True))
    element = elements[0] if elements else Any
    return (tuple if container is tuple else list)(convert(item, element) for item in value)


def _mapping(value: Any, elements: tuple[Any, ...]) -> Any:
    if not isinstance(value, Mapping):
        raise Misfit
    element = elements[1] if elements else Any
    return {key: convert(item, element) for key, item in value.items()}


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1 != 0:  # 1e3 is an int, inf is none
        raise Misfit
    return int(value)


def _float(value: Any) -> float:
    if value in ("inf", "-inf", "nan"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit
    return value


def _bool(value: Any) -> bool:
    if value in ("True", "False"):
        return bool(value == "True")
    if not isinstance(value, bool):
        raise Misfit
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit
    return value


def _none(value: Any) -> None:
    if value is not None and not _spells_none(value):
        raise Misfit


def _spells_none(value: Any) -> bool:  # TOML has no null
    return isinstance(value, str) and value.lower() == "none"


_SIMPLE: dict[Any, Any] = {int: _int, float: _float, bool: _bool, str: _str, type(None): _none}
