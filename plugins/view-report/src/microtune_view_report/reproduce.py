"""How to make a run again: its Tuner call as code, its packages, and its settings."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from typing import Any

from microtune import Tuner
from microtune_view_report.story import Story

WIDTH = 100


def call(story: Story) -> str:
    """The Tuner call of the run as Python. What the journal knows only by its name, a function, is a comment that says so."""
    settings = story.settings
    space = literal(story.space.spec, 4)
    names = sorted({*re.findall(r"(?<![\w.])(" + "|".join(_DOMAINS) + r")\(", space)})
    trainable, unknown = settings.get("trainable"), []
    if isinstance(trainable, dict):
        unknown.append(f"# {_named(trainable)} is your own: import it here")
        trainable_code = str(trainable.get("name") or "train").rpartition(".")[2].rpartition(":")[2]
    else:
        trainable_code = repr(trainable)
    arguments = [f"{trainable_code},", f"param_space={space},"]
    defaults = {key: each.default for key, each in inspect.signature(Tuner).parameters.items()}
    for key, value in settings.items():
        if key in ("trainable", "param_space", "name", "storage_path") or key not in defaults or value == defaults[key]:
            continue
        if value is None or (value == [] and not defaults[key]):
            continue
        if _has_object(value):
            arguments.append(f"# {key}: an object, of which the journal has only {' '.join(repr(value).split())}")
        else:
            arguments.append(f"{key}={literal(value, 4)},")
    if constraints := (settings.get("param_space") or {}).get("constraints"):
        unknown.append(
            f"# the space has constraints, of which the journal has only the names: {', '.join(constraints)}"
        )
    head = ["import microtune as mt"]
    if names:
        head.append(f"from microtune import {', '.join(names)}")
    body = "\n".join(f"    {line}" for line in arguments)
    return "\n".join([*head, *unknown, "", "results = mt.Tuner(", body, ").fit()"])


def packages(story: Story) -> str:
    """The pip line with the versions that the run had."""
    kernel = story.first.body.get("kernel") if story.first else None
    found = {f"microtune-kernel=={kernel}": None} if kernel else {}
    for plugin in story.settings.get("plugins", ()):
        for each in _chain(plugin):
            if each.get("distribution") not in (None, "microtune-kernel"):
                found[f"{each['distribution']}=={each.get('version')}"] = None
    return "pip install " + " ".join(shlex.quote(each) for each in found) if found else ""


def _chain(plugin: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """A modifier, and the searcher behind it."""
    if plugin:
        yield plugin
        yield from _chain(plugin.get("inner"))


def going_on(path: str) -> str:
    return f"microtune resume {shlex.quote(path)}"


def literal(value: Any, indent: int = 0) -> str:
    """`repr`, over several lines where it is long."""
    flat = repr(value)
    if len(flat) + indent <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return flat
    inner, pad = indent + 4, " " * (indent + 4)
    if isinstance(value, dict):
        lines = [f"{pad}{key!r}: {literal(item, inner)}," for key, item in value.items()]
        return "{\n" + "\n".join(lines) + "\n" + " " * indent + "}"
    return "[\n" + "\n".join(f"{pad}{literal(item, inner)}," for item in value) + "\n" + " " * indent + "]"


def _has_object(value: Any) -> bool:
    if isinstance(value, dict):
        return "$object" in value or any(map(_has_object, value.values()))
    return isinstance(value, list) and any(map(_has_object, value))


def _named(value: dict[str, Any]) -> str:
    return str(value.get("name") or value.get("$object"))


_DOMAINS = (
    "choice", "grid_search", "lograndint", "loguniform", "qlograndint", "qloguniform", "qrandint", "qrandn", "quniform",
    "randint", "randn", "sample_from", "uniform",
)  # fmt: skip
