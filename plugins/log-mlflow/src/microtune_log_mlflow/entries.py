"""What MLflow takes: names, texts and numbers within its limits."""

from __future__ import annotations

import hashlib
import json
import math
import os
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from mlflow.entities import Metric, Param, RunTag

NAME, PARAM, TAG = 250, 6000, 8000  # characters, the limits of MLflow's own stores

_STRANGE = re.compile(r"[^/\w.\- ]" if os.name == "nt" else r"[^/\w.\- :]")


def params(config: dict[str, Any]) -> list[Param]:
    """A config; nested names are joined with slashes, a list is its JSON."""
    return [Param(name, cut(_shown(value), PARAM)) for name, value in _named(config).items()]


def metrics(body: dict[str, Any], at: float) -> list[Metric]:
    """The numbers of a result and its time_total_s, in double precision, at its iteration; `at` in seconds."""
    step, when = body["iteration"], int(at * 1000)
    found = _named({**body["metrics"], "time_total_s": body["time_total_s"]})
    return [
        Metric(name, _double(value), when, step) for name, value in found.items() if isinstance(value, (int, float))
    ]


def tags(**texts: str | None) -> list[RunTag]:
    """Our own, which begin with microtune; None is an empty one, since a tag that is left out keeps its value."""
    return [RunTag(f"microtune.{name}", cut(text or "", TAG)) for name, text in texts.items()]


def error(failure: dict[str, Any]) -> str:
    """The traceback, or what is known without one; of a long one its end."""
    text = _text(f"{failure['kind']}: {failure.get('traceback') or failure.get('message') or ''}")
    return text if len(text) <= TAG else "..." + text[3 - TAG :]


def key(name: str) -> str:
    """A name that MLflow takes: itself, or one without what MLflow refuses, told from its likes by a digest."""
    fits = 0 < len(name) <= NAME and not _STRANGE.search(name)
    if fits and posixpath.normpath(name) == name and name != "." and not name.startswith(("..", "/")):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    plain = re.sub(r"[^\w -]", "_", name)
    return f"{plain[: NAME - 9]}-{digest}"


def cut(text: str, limit: int) -> str:
    text = _text(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """Flat, by names that MLflow takes; of {"a/b": 1, "a": {"b": 2}} the second is `a/b 2`."""
    found: dict[str, Any] = {}
    for name, value in _flat(values):
        fits, count = key(name), 2
        while fits in found:
            fits, count = key(f"{name} {count}"), count + 1
        found[fits] = value
    return found


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond 1e308
        return math.inf if value > 0 else -math.inf


def _text(value: str) -> str:
    """Databases take no lone surrogates, some of them no NUL."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
