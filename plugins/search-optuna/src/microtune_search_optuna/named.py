"""Samplers and pruners by name, with their own options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import optuna

from microtune import OptionError


class Named(NamedTuple):
    """A class of Optuna, and the packages that it needs beside Optuna."""

    path: str
    needs: tuple[str, ...] = ()

    @property
    def cls(self) -> type[Any]:
        module, _, name = self.path.partition(".")
        found: type[Any] = getattr(getattr(optuna, module), name)
        return found


SAMPLERS = {
    "tpe": Named("samplers.TPESampler"),
    "gp": Named("samplers.GPSampler", ("scipy", "torch")),
    "cmaes": Named("samplers.CmaEsSampler", ("cmaes",)),
    "nsga2": Named("samplers.NSGAIISampler"),
    "nsga3": Named("samplers.NSGAIIISampler"),
    "qmc": Named("samplers.QMCSampler", ("scipy",)),
    "random": Named("samplers.RandomSampler"),
    "brute_force": Named("samplers.BruteForceSampler"),
}
PRUNERS = {
    "median": Named("pruners.MedianPruner"),
    "percentile": Named("pruners.PercentilePruner"),
    "hyperband": Named("pruners.HyperbandPruner"),
    "successive_halving": Named("pruners.SuccessiveHalvingPruner"),
    "patient": Named("pruners.PatientPruner"),
    "threshold": Named("pruners.ThresholdPruner"),
    "wilcoxon": Named("pruners.WilcoxonPruner", ("scipy",)),
    "nop": Named("pruners.NopPruner"),
}

_OURS = ("self", "seed", "constraints_func")  # what this plugin gives itself


def find(kind: str, table: Mapping[str, Named], name: str, options: Mapping[str, Any]) -> type[Any]:
    """The class of that name; OptionError where there is none, where it lacks a package, or has no such option."""
    if name not in table:
        raise OptionError(f"optuna: {kind} is {name!r}; it must be one of {', '.join(table)}, or an object")
    missing = [package for package in table[name].needs if find_spec(package) is None]
    if missing:
        raise OptionError(
            f"optuna: the {kind} {name!r} needs {' and '.join(missing)}: pip install 'microtune-search-optuna[{name}]'"
        )
    cls = table[name].cls
    known = takes(cls)
    for option in options:
        if option not in known or option in _OURS:
            listing = ", ".join(each for each in known if each not in _OURS)
            has = f"its options are {listing}" if listing else "it has no options"
            raise OptionError(f"optuna: the {kind} {name!r} has no option {option!r}; {has}")
    return cls


def takes(cls: type[Any]) -> list[str]:
    """The names of its constructor's arguments."""
    if cls.__init__ is object.__init__:
        return []
    parameters = inspect.signature(cls.__init__).parameters.values()
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def make(kind: str, name: str, cls: type[Any], options: Mapping[str, Any]) -> Any:
    """An object of that class; what it refuses is an OptionError in its own words."""
    try:
        return cls(**options)
    except (TypeError, ValueError) as error:
        raise OptionError(f"optuna: the {kind} {name!r} refuses its options {dict(options)}: {error}") from error
