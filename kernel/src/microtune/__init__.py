"""microtune: hyperparameter tuning as a microkernel. Names are loaded on first use, so importing this costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# module -> the public names that it defines
_PUBLIC = {
    "answers": (
        "Batch", "Continue", "Discard", "Done", "Exited", "Failure", "Pause", "Reported", "Resume", "Start", "Stop", "StopRun",
        "Suggestion", "Decision", "Wait",
    ),
    "attempt": ("Assignment", "Outcome", "Terms", "TrialHalted", "checkpoint_iteration"),
    "catalog": ("installed", "load_plugin"),
    "domains": ("Choice", "Float", "Function", "Grid", "Integer", "Normal"),
    "events": ("Event",),
    "facts": ("Facts", "Limits"),
    "faults": ("CannotFit", "MicrotuneError", "OptionError", "PluginError", "PluginNotFound", "RunError", "SpaceError"),
    "hookspecs": ("hookimpl",),
    "lock": ("lock_holder",),
    "modifiers": ("Modifier",),
    "objective": ("Objective",),
    "parameters": ("put_together", "taken_apart", "with_parameters"),
    "reader": ("Reader",),
    "remote": ("as_directory",),
    "remover": ("Remover",),
    "recording": ("PastTrial", "record_run"),
    "results": ("ResultGrid",),
    "requests": ("stop_run", "stop_trial"),
    "stepping": ("TrialThread",),
    "storage": ("open_run", "runs_in", "storage_path"),
    "summary": ("Summary", "run_status", "summarise"),
    "space": (
        "Space", "choice", "grid_search", "lograndint", "loguniform", "qlograndint", "qloguniform", "qrandint", "qrandn",
        "quniform", "randint", "randn", "sample_from", "uniform",
    ),
    "stopping": ("ExperimentPlateau", "TrialPlateau"),
    "trainable": (
        "Trainable", "checkpoint_dir", "close_worker", "get_checkpoint", "get_context", "report", "run_trial",
    ),
    "trial": ("Result", "Trial"),
    "trial_result": ("TrialResult",),
    "tuner": ("Tuner",),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microtune' has no attribute {name!r}")
    value = getattr(import_module(f"microtune.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])


if TYPE_CHECKING:
    from microtune.answers import (
        Batch as Batch, Continue as Continue, Discard as Discard, Done as Done, Exited as Exited, Failure as Failure,
        Pause as Pause, Reported as Reported, Resume as Resume, Start as Start, Stop as Stop, StopRun as StopRun,
        Decision as Decision, Suggestion as Suggestion, Wait as Wait,
    )  # fmt: skip
    from microtune.attempt import (
        Assignment as Assignment, Outcome as Outcome, Terms as Terms, TrialHalted as TrialHalted,
        checkpoint_iteration as checkpoint_iteration,
    )  # fmt: skip
    from microtune.catalog import installed as installed, load_plugin as load_plugin
    from microtune.domains import (
        Choice as Choice, Float as Float, Function as Function, Grid as Grid, Integer as Integer, Normal as Normal,
    )  # fmt: skip
    from microtune.events import Event as Event
    from microtune.facts import Facts as Facts, Limits as Limits
    from microtune.faults import (
        CannotFit as CannotFit, MicrotuneError as MicrotuneError, OptionError as OptionError, PluginError as PluginError,
        PluginNotFound as PluginNotFound, RunError as RunError, SpaceError as SpaceError,
    )  # fmt: skip
    from microtune.hookspecs import hookimpl as hookimpl
    from microtune.lock import lock_holder as lock_holder
    from microtune.modifiers import Modifier as Modifier
    from microtune.objective import Objective as Objective
    from microtune.parameters import (
        put_together as put_together, taken_apart as taken_apart, with_parameters as with_parameters,
    )  # fmt: skip
    from microtune.reader import Reader as Reader
    from microtune.remote import as_directory as as_directory
    from microtune.remover import Remover as Remover
    from microtune.recording import PastTrial as PastTrial, record_run as record_run
    from microtune.requests import stop_run as stop_run, stop_trial as stop_trial
    from microtune.results import ResultGrid as ResultGrid
    from microtune.space import (
        Space as Space, choice as choice, grid_search as grid_search, lograndint as lograndint, loguniform as loguniform,
        qlograndint as qlograndint, qloguniform as qloguniform, qrandint as qrandint, qrandn as qrandn,
        quniform as quniform, randint as randint, randn as randn, sample_from as sample_from, uniform as uniform,
    )  # fmt: skip
    from microtune.stepping import TrialThread as TrialThread
    from microtune.stopping import ExperimentPlateau as ExperimentPlateau, TrialPlateau as TrialPlateau
    from microtune.storage import open_run as open_run, runs_in as runs_in, storage_path as storage_path
    from microtune.summary import Summary as Summary, run_status as run_status, summarise as summarise
    from microtune.trainable import (
        Trainable as Trainable, checkpoint_dir as checkpoint_dir, close_worker as close_worker,
        get_checkpoint as get_checkpoint, get_context as get_context, report as report, run_trial as run_trial,
    )  # fmt: skip
    from microtune.trial import Result as Result, Trial as Trial
    from microtune.trial_result import TrialResult as TrialResult
    from microtune.tuner import Tuner as Tuner
