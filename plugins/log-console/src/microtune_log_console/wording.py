"""Numbers, durations and configs as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any


def clean(text: str) -> str:
    """Without anything that a terminal would obey: control characters are spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def wrapped(line: str, width: int) -> list[str]:
    """Broken between words, as the second column of the summary. What holds a longer word, a path, is left whole."""
    indent = " " * min(12, width // 3)
    if len(line) <= width or max(map(len, line.split())) > width - len(indent):
        return [line]
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )


def number(value: Any, digits: int = 4) -> str:
    """Some significant digits of a float, the beginning of anything else."""
    return f"{value:.{digits}g}" if isinstance(value, float) else cut(exact(value), 24)


def duration(seconds: float) -> str:
    """4.2 s, 42 s, 1:15, 1:01:40"""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pairs(values: dict[str, Any], wanted: tuple[str, ...] = (), prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested names joined with slashes; of those wanted, or of all."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from pairs(value, wanted, f"{prefix}{name}/")
        elif not wanted or prefix + name in wanted:
            yield prefix + name, value


def one_line(config: dict[str, Any], wanted: tuple[str, ...] = ()) -> str:
    """lr=0.0123 opt/kind=sgd"""
    return " ".join(f"{clean(name)}={number(value)}" for name, value in pairs(config, wanted))


def exact(value: Any) -> str:
    """A value with all its digits, as Python spells it."""
    return clean(str(value))


def first_line(message: str) -> str:
    """The journal has the rest."""
    lines = message.strip().splitlines() or ["no message"]
    return cut(clean(lines[0]), 300) + " ..." * (len(lines) > 1)


def listing(counts: dict[str, int]) -> str:
    """2 running, 3 completed: what there is of anything."""
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no trials yet"
