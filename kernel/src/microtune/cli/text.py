"""How the commands print: tables, values, times, JSON."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Aligned columns; on a terminal no line is longer than it is wide."""
    lines = [[plain(head).upper() for head in heads], *([_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(text if limit is None or len(text) <= limit else text[: limit - 1] + "…")


def print_facts(facts: Mapping[str, Any]) -> None:
    """One `name  value` a line; what is None or empty is left out."""
    shown = {plain(name): _one_line(value) for name, value in facts.items() if value is not None and value != ""}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        print(f"{name.ljust(width)}  {value}")


def print_text(text: str, spelled: Callable[[str], str] | None = None) -> None:
    """As it is, line by line, but for what a terminal would obey."""
    print("\n".join(plain(line, spelled) for line in text.split("\n")))


def plain(line: str, spelled: Callable[[str], str] | None = None) -> str:
    """Without anything that a terminal would obey: control characters are spelled out, as Python does or by `spelled`."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else (spelled or _as_python)(c) for c in line)


def _as_python(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _as_json(character: str) -> str:
    return json.dumps(character)[1:-1]


def print_json(value: Any) -> None:
    """Strict JSON: a number that it lacks is "NaN", "Infinity" or "-Infinity"."""
    print_text(json.dumps(strict(value), indent=2, ensure_ascii=False, default=str), _as_json)


def strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return value


def spell(value: Any) -> str:
    """A value as a person reads it: numbers to 6 digits, a config as `lr=0.01 hidden=64`."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_inner(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return _inner(value)
    return str(value)


def moment(at: float | None) -> str:
    """Local time to the second."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + spell(value) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return spell(value)


def _one_line(value: Any) -> str:
    return plain(" ".join(("" if value is None else spell(value)).split()))


def states(counts: dict[str, int]) -> str:
    """`18 completed, 2 stopped`."""
    return ", ".join(f"{count} {state.lower()}" for state, count in counts.items())
