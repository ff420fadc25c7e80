"""Which plugins are installed. Imports none of them, and importlib.metadata only when it is asked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from microtune import __version__
from microtune.faults import OptionError, PluginNotFound, describe
from microtune.options import did_you_mean
from microtune.versions import allows

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# entry point group -> role
GROUPS = {
    "microtune.searchers": "searcher",
    "microtune.schedulers": "scheduler",
    "microtune.executors": "executor",
    "microtune.loggers": "logger",
    "microtune.modifiers": "modifier",
}
ROLES = tuple(GROUPS.values())
KERNEL = "microtune-kernel"

# Our own plugins: role -> the verb in the distribution's name, and the names. microtune-search-random offers `random`.
OURS = {
    "searcher": ("search", "random grid optuna hyperopt ax nevergrad bohb"),
    "scheduler": ("schedule", "asha hyperband median pbt"),
    "executor": ("execute", "local inline ray simulated"),
    "logger": ("log", "console csv json tensorboard"),
}
# Those that come with another one.
WITH = {
    ("scheduler", "optuna"): "microtune-search-optuna",
    ("scheduler", "pb2"): "microtune-schedule-pbt[pb2]",
    ("scheduler", "pbt-replay"): "microtune-schedule-pbt",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed plugin. `value` is "module:Class"; `requires` are the requirements of its distribution."""

    role: str
    name: str
    distribution: str
    version: str
    value: str
    requires: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return f"{self.distribution} {self.version}"


# --- reading what is installed: distributions -> entries ------------------------------------------------------------


def catalog() -> list[Entry]:
    """Every installed plugin, by role and name."""
    from importlib.metadata import distributions

    return sorted(entries(distributions()), key=lambda entry: (ROLES.index(entry.role), entry.name, entry.distribution))


def entries(distributions: Iterable[Distribution]) -> Iterator[Entry]:
    """The plugins of these distributions. Of two copies of one distribution the first on the path counts."""
    seen = set()
    for distribution in distributions:
        # Most distributions have no entry point of ours: one small file is all that is read of them.
        if "microtune." not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name, version, requires = _header(distribution)
        if _normalized(name) in seen:
            continue
        seen.add(_normalized(name))
        for point in distribution.entry_points:
            if point.group in GROUPS:
                yield Entry(GROUPS[point.group], point.name, name, version, point.value, requires)


def _header(distribution: Distribution) -> tuple[str, str, tuple[str, ...]]:
    """Name, version and requirements. Read by hand: an email parser would go through the whole README behind them."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields = [line.partition(": ") for line in text.partition("\n\n")[0].splitlines()]
    values = {key: value for key, _, value in fields}
    requires = tuple(value for key, _, value in fields if key == "Requires-Dist")
    return values.get("Name", "?"), values.get("Version", "?"), requires


# --- asking for one --------------------------------------------------------------------------------------------------


def find(role: str, name: str) -> Entry:
    """The plugin of that name; PluginNotFound where there is none, two offer it, or it is for another kernel."""
    installed = [entry for entry in catalog() if entry.role == role]
    found = [entry for entry in installed if entry.name == name]
    if not found:
        raise PluginNotFound(_unknown(role, name, installed))
    return pick(found)


def pick(found: list[Entry]) -> Entry:
    """The one of these, which all have the same role and name, that can be used."""
    first = found[0]
    if len(found) > 1:
        sources = " and ".join(entry.source for entry in found)
        raise PluginNotFound(
            f"the {first.role} {first.name!r} is offered by {sources}: uninstall all but one, or choose one by its class"
        )
    if misfit := kernel_misfit(first):
        raise PluginNotFound(misfit)
    return first


def load(entry: Entry) -> type[Any]:
    """The plugin's class. Whatever its import raises is a PluginNotFound: it hurts only who asks for it."""
    module, _, path = entry.value.partition(":")
    return _import(module, path, f"the {entry.role} {entry.name!r} of {entry.source}")


def import_class(dotted: str, role: str) -> type[Any]:
    """The class `package.module.Class`."""
    module, _, path = dotted.rpartition(".")
    return _import(module, path, f"the {role} {dotted!r}")


def kernel_misfit(entry: Entry) -> str | None:
    """Why this plugin does not fit this kernel, or None. A requirement with a marker for an extra does not count."""
    for requirement in entry.requires:
        text, _, marker = requirement.partition(";")
        found = re.match(r"\s*([\w.-]+)\s*(?:\[[^]]*\])?\s*\(?([^)]*)", text)
        if found is None or _normalized(found[1]) != KERNEL or "extra" in marker:
            continue
        if not allows(found[2], __version__):
            return (
                f"the {entry.role} {entry.name!r} of {entry.source} is for {KERNEL} {found[2].strip()}, "
                f"and this is {__version__}: pip install --upgrade {entry.distribution} {KERNEL}"
            )
    return None


def _import(module: str, path: str, who: str) -> type[Any]:
    try:
        found: Any = import_module(module)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:
        raise PluginNotFound(f"{who} cannot be imported: {describe(error)}") from error
    if not isinstance(found, type):
        raise OptionError(f"{who} is {found!r}, not a class: its entry point or name must lead to a plugin class")
    return found


def pip_line(role: str, name: str) -> str | None:
    """How to install a plugin, if it is one of ours."""
    verb, ours = OURS.get(role, ("", ""))
    distribution = f"microtune-{verb}-{name}" if name in ours.split() else WITH.get((role, name))
    return None if distribution is None else f"pip install {shlex.quote(distribution)}"


def _unknown(role: str, name: str, installed: list[Entry]) -> str:
    names = sorted({entry.name for entry in installed})
    message = f"no {role} named {name!r} is installed{did_you_mean(name, names)}"
    if line := pip_line(role, name):
        return f"{message}: {line}"
    if names:
        return f"{message}; installed are {', '.join(names)}; a class is written package.module.Class"
    if role not in OURS:
        return f"{message}, nor is any other; a class is written package.module.Class"
    verb, ours = OURS[role]
    return f"{message}, nor is any other; ours are {', '.join(ours.split())}: pip install microtune-{verb}-NAME"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
