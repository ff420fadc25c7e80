"""Does a version lie in a range such as `>=0.1,<0.2`? As much of PEP 440 as plugins need; no dependency."""

from __future__ import annotations

import re

Key = tuple[tuple[int, ...], int, int]

_VERSION = re.compile(
    r"v?(\d+(?:\.\d+)*)(?:[-_.]?(dev|alpha|a|beta|b|preview|pre|rc|c|post)[-_.]?(\d*))?.*", re.IGNORECASE
)
_CLAUSE = re.compile(r"(~=|===|==|!=|<=|>=|<|>)\s*([^\s,]+)")
_STAGES = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "rc": -1, "c": -1, "pre": -1, "preview": -1, "post": 1}


def allows(specifiers: str, version: str) -> bool:
    """Whether every clause of `>=0.1,<0.2` admits the version; what cannot be read excludes nothing."""
    return all(_admits(operator, bound, version) for operator, bound in _CLAUSE.findall(specifiers))


def _admits(operator: str, bound: str, version: str) -> bool:
    if operator == "===":
        return version == bound
    if bound.endswith(".*") and operator in ("==", "!="):
        return _starts(version, bound[:-2]) == (operator == "==")
    ours, theirs = _key(version), _key(bound)
    if ours is None or theirs is None:
        return True
    if operator == "~=":  # ~=1.4.2 is >=1.4.2,==1.4.*
        return ours >= theirs and _starts(version, bound.rpartition(".")[0])
    if operator == "<" and theirs[1] >= 0 and ours[0] == theirs[0]:
        return theirs[1] > ours[1] >= 0  # 0.2rc1 is not in <0.2
    return {
        "==": ours == theirs, "!=": ours != theirs, "<=": ours <= theirs, ">=": ours >= theirs, "<": ours < theirs,
        ">": ours > theirs,
    }[operator]  # fmt: skip


def _key(version: str) -> Key | None:
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    release = [int(part) for part in found[1].split(".")]
    while len(release) > 1 and release[-1] == 0:  # 0.1.0 is 0.1
        release.pop()
    return tuple(release), _STAGES.get((found[2] or "").lower(), 0), int(found[3] or 0)


def _starts(version: str, prefix: str) -> bool:
    numbers = re.findall(r"\d+", prefix)
    release = re.findall(r"\d+", version.partition("+")[0])
    padded = release + ["0"] * (len(numbers) - len(release))
    return [int(n) for n in padded[: len(numbers)]] == [int(n) for n in numbers]
