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
    # What is no part of a run: functions and modules, where the five above are classes.
    "microtune.trainables": "trainable",  # function(text) -> a trainable: Tuner("NAME:TEXT")
    "microtune.figures": "figure",  # function(grid, *, options) -> a plotly figure: ResultGrid.plot_NAME(options)
    "microtune.commands": "command",  # a module with add_arguments(parser) and run(arguments): `microtune NAME`
    "microtune.formats": "format",  # a module with write(grid, target), read(source, path) or both
}
ROLES = tuple(GROUPS.values())
HOOKED = ROLES[:5]
KERNEL = "microtune-kernel"

# Our own plugins: role -> the verb in the distribution's name, and the names. microtune-search-random offers `random`.
OURS = {
    "searcher": ("search", "random grid optuna hyperopt ax nevergrad bohb"),
    "scheduler": ("schedule", "asha hyperband median pbt"),
    "executor": ("execute", "local inline ray simulated"),
    "logger": ("log", "console csv json tensorboard mlflow wandb"),
    "command": ("view", "report dashboard"),
    "format": ("convert", "optuna ray-tune"),
}
FIGURES = "history curves parallel-coordinates slices importance rungs lineage pareto timeline"
# Those that come with another one.
WITH = {
    ("scheduler", "optuna"): "microtune-search-optuna",
    ("scheduler", "pb2"): "microtune-schedule-pbt[pb2]",
    ("scheduler", "pbt-replay"): "microtune-schedule-pbt",
    ("trainable", "rllib"): "microtune-execute-ray[rllib]",
    **{("figure", name): "microtune-view-report" for name in FIGURES.split()},
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
    there = installed(role)
    found = [entry for entry in there if entry.name == name]
    if not found:
        raise PluginNotFound(_unknown(role, name, there))
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


def load(entry: Entry) -> Any:
    """The plugin: a class, where its role has hooks. Whatever its import raises is a PluginNotFound: it hurts only who asks."""
    module, _, path = entry.value.partition(":")
    who = f"the {entry.role} {entry.name!r} of {entry.source}"
    found = _import(module, path, who)
    return _expect_class(found, who) if entry.role in HOOKED else found


def import_class(dotted: str, role: str) -> type[Any]:
    """The class `package.module.Class`."""
    module, _, path = dotted.rpartition(".")
    who = f"the {role} {dotted!r}"
    return _expect_class(_import(module, path, who), who)


def installed(role: str) -> list[Entry]:
    """The installed plugins of a role, by name. Imports none of them. OptionError where there is no such role."""
    if role not in ROLES:
        raise OptionError(f"there is no role {role!r}{did_you_mean(role, ROLES)}; the roles are {', '.join(ROLES)}")
    return [entry for entry in catalog() if entry.role == role]


def is_known(role: str, name: str) -> bool:
    """It is installed, or one of ours, which says how to install it when it is asked for."""
    return any(entry.name == name for entry in installed(role)) or pip_line(role, name) is not None


def load_plugin(role: str, name: str) -> Any:
    """The plugin of that name: a class, a function or a module, as its role has it. PluginNotFound where it will not do."""
    return load(find(role, name))


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


def _import(module: str, path: str, who: str) -> Any:
    try:
        found: Any = import_module(module)
        for attribute in path.split(".") if path else ():
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:
        raise PluginNotFound(f"{who} cannot be imported: {describe(error)}") from error
    return found


def _expect_class(found: Any, who: str) -> type[Any]:
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
    hint = "; a class is written package.module.Class" if role in HOOKED else ""
    if names:
        return f"{message}; installed are {', '.join(names)}{hint}"
    if role not in OURS:
        return f"{message}, nor is any other{hint}"
    verb, ours = OURS[role]
    return f"{message}, nor is any other; ours are {', '.join(ours.split())}: pip install microtune-{verb}-NAME"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
