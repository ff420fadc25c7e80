"""What W&B takes of a result, a config and a failure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

ERROR = 10_000  # characters of a traceback that are kept, its last ones

_EXACT = 2**53  # up to here W&B, which is written in JavaScript and Go, keeps an integer


def row(body: dict[str, Any], at: float) -> dict[str, Any]:
    """The numbers and texts of a result; nested names are joined with slashes, which W&B shows as sections."""
    flat = dict(_flat(body["metrics"]))
    found = {_name(name): _value(value) for name, value in flat.items() if isinstance(value, (int, float, str))}
    return {**found, "training_iteration": body["iteration"], "time_total_s": body["time_total_s"], "_timestamp": at}


def config(value: Any) -> Any:
    """As it is, nested."""
    if isinstance(value, dict):
        return {_name(name): config(each) for name, each in value.items()}
    if isinstance(value, list):
        return [config(each) for each in value]
    return _value(value)


def error(failure: dict[str, Any]) -> str:
    return _text(f"{failure['kind']}: {failure.get('traceback') or failure.get('message') or ''}")[-ERROR:]


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _name(name: str) -> str:
    """W&B keeps names that begin with an underscore to itself, and has none that is empty."""
    return _text(name) if name and not name.startswith("_") else f"reported/{_text(name)}"


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) > _EXACT:
        try:
            return float(value)
        except OverflowError:  # beyond 1e308
            return math.inf if value > 0 else -math.inf
    return value


def _text(value: str) -> str:
    """Protocol buffers take no lone surrogates."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
