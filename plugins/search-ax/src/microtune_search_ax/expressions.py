"""Constraints in the user's names, put into those that Ax has: its own are identifiers, and may be no name of SymPy's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_NUMBER = r"(?<![\w.])(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])"
_WORD = r"[^\W\d][\w./]*"


def translated(expression: str, names: Iterable[str], term: Callable[[str], str]) -> str:
    """The expression with `term(name)` for every name in it: a known one, whatever it is made of, or any other word."""
    known = sorted((name for name in names if name and not re.fullmatch(_NUMBER, name)), key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w/]){re.escape(name)}(?![\w/])" for name in known)
    parts = [f"(?P<known>{pattern})"] if known else []
    return re.sub(
        "|".join([*parts, f"(?P<number>{_NUMBER})", f"(?P<word>{_WORD})"]),
        lambda found: found[0] if found["number"] else term(found[0]),
        expression,
    )
