"""Tuner: what users call."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from microtune.compose import EXECUTOR, LOGGER, SCHEDULER, SEARCHER, STOPPER, Composed, choose, compose, modify
from microtune.facts import Facts, Limits
from microtune.faults import OptionError, RunError
from microtune.journal import MEMORY, Journal, Reader
from microtune.kernel import Policy
from microtune.objective import Objective
from microtune.results import ResultGrid
from microtune.run import Run
from microtune.signals import Signals, ended_by
from microtune.space import Space
from microtune.stopping import parse_stop

_LOST = "$object"  # in the journal: a value that JSON cannot hold, by its repr


class Tuner:
    """Tune `trainable` over `param_space`.

    trainable: a function of `config`, a `Trainable` class, or "module:function".
    param_space: a dict of domains (`loguniform`, `choice`, ...), constants, dicts and lists, or a `Space`.
    metric, mode: what to optimise and "min" or "max"; lists for several objectives.
    num_samples: number of trials, times the size of the grid if there is one; None: no limit.
    searcher: by name, "name:option=value", class or instance; "grid" where the space has a grid_search, else "random".
    scheduler, executor, loggers, modifiers: likewise. One instance serves one run.
    stop: {"metric": value}, "loss < 0.1", a callable (trial_id, metrics) -> bool, a stop rule, or a list of these.
    time_budget_s: seconds for the run, over all its sessions.
    max_concurrent_trials: how many may run at once; None: as many as the executor can hold.
    points_to_evaluate: configs to try first; what they leave out is sampled.
    warm_start: folders of earlier runs whose finished trials the searcher is told.
    resources: what a trial needs, such as {"cpu": 1, "gpu": 0.5}.
    max_failures: how often a failed trial is retried from its last checkpoint; -1: for ever.
    fail_fast: the first failed trial ends the run.
    trial_timeout_s, report_timeout_s: seconds for one attempt of a trial, and between two of its reports.
    grace_s: seconds that a trial has to leave once it was told to; then it is killed.
    checkpoints: {"keep": 2, "metric": "accuracy", "mode": "max", "every": 1, "at_end": True}, each optional. keep: how many
        of a trial's stay, the last or, with a metric, the best; every, at_end: when a Trainable class saves one.
    name, storage_path: the run's folder is <storage_path>/<name>; storage_path=":memory:" keeps the journal in memory.
    seed: of all randomness; None: drawn, and kept in the journal.
    """

    def __init__(
        self,
        trainable: Callable[[dict[str, Any]], Any] | type[Any] | str,
        *,
        param_space: Mapping[str, Any] | Space,
        metric: str | Sequence[str],
        mode: str | Sequence[str],
        num_samples: int | None = 1,
        searcher: Any = None,
        scheduler: Any = None,
        executor: Any = "local",
        loggers: Sequence[Any] = ("console",),
        modifiers: Sequence[Any] = (),
        stop: Any = None,
        time_budget_s: float | None = None,
        max_concurrent_trials: int | None = None,
        points_to_evaluate: Sequence[dict[str, Any]] | None = None,
        warm_start: Sequence[str | os.PathLike[str]] = (),
        resources: Mapping[str, float] | None = None,
        max_failures: int = 0,
        fail_fast: bool = False,
        trial_timeout_s: float | None = None,
        report_timeout_s: float | None = None,
        grace_s: float = 10.0,
        checkpoints: Mapping[str, Any] | None = None,
        name: str | None = None,
        storage_path: str | os.PathLike[str] | None = None,
        seed: int | None = None,
    ) -> None:
        self._given = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        self._resumed: str | None = None
        self.trainable = resolve_trainable(trainable)
        self.space = param_space if isinstance(param_space, Space) else Space(_as_dict(param_space, "param_space"))
        if not self.space.spec:
            raise OptionError("param_space is empty: name a parameter, such as {'lr': microtune.loguniform(1e-5, 1e-1)}")
        self.objective = Objective(metric, mode)
        if isinstance(loggers, str) or isinstance(modifiers, str):
            raise OptionError("loggers= and modifiers= are lists, such as ['console', 'csv']")
        _positive("num_samples", num_samples, whole=True)
        _positive("max_concurrent_trials", max_concurrent_trials, whole=True)
        for key in ("time_budget_s", "trial_timeout_s", "report_timeout_s", "grace_s"):
            _positive(key, self._given[key])
        self.resources = _resources(resources)
        self.checkpoints = _checkpoints(checkpoints)
        self.seed = secrets.randbits(31) if seed is None else seed
        self.name = name or f"{_name_of(self.trainable)}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        if os.sep in self.name or self.name in (".", ".."):
            raise OptionError(f"name={self.name!r} is the name of one folder: put the rest of the path into storage_path=")

    # --- running -----------------------------------------------------------------------------------------------------

    def fit(self) -> ResultGrid:
        """Run it to its end and return the results. The first Ctrl-C or SIGTERM drains the run, then raises.

        Raises RunError where the run cannot go on (PluginError where a plugin is to blame); it can be resumed then.
        """
        run: Run | None = None

        def interrupt(signum: int) -> None:
            if run is not None:
                run.interrupt(signum)

        with Signals(interrupt) as signals:
            run = self.open(signals.wakeup_fd)
            error: BaseException | None = None
            try:
                while run.step():
                    pass
            except BaseException as problem:
                error = problem
                raise
            finally:
                run.close(error)
        if signals.received is not None and run.outcome[0] is False:
            raise ended_by(signals.received, f"the run was interrupted; go on with `microtune resume {run.facts.path}`")
        return self.results()

    def open(self, wakeup_fd: int | None = None) -> Run:
        """The run, set up and ready for `step()`. Whoever opens it closes it: `fit` does both."""
        path = self._path()
        chosen = self._choose()
        settings = self._settings(chosen)
        journal = Journal(MEMORY if self._in_memory else path, create=self._resumed is None)
        identity = secrets.token_hex(4)
        given = self._given
        facts = Facts(
            id=identity, name=self.name, path=path, seed=self.seed, space=self.space, objective=self.objective,
            num_samples=given["num_samples"], resources=self.resources, trainable=self.trainable,
            limits=Limits(
                time=given["time_budget_s"], trial=given["trial_timeout_s"], report=given["report_timeout_s"],
                grace=given["grace_s"], trials=self.space.count(given["num_samples"], given["points_to_evaluate"] or ()),
            ),
            checkpoints=self.checkpoints, max_concurrent_trials=given["max_concurrent_trials"],
            resumed=self._resumed is not None, wakeup_fd=wakeup_fd,
        )  # fmt: skip
        policy = Policy(given["max_failures"], given["fail_fast"], given["max_concurrent_trials"])
        try:
            run = Run(facts, compose(chosen), journal, policy, settings, resume=self._resumed is not None)
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        run.start()
        return run

    def results(self) -> ResultGrid:
        """The results so far."""
        return ResultGrid(self._path(), self.objective, source=self._journal if self._in_memory else None)

    # --- resuming ----------------------------------------------------------------------------------------------------

    @classmethod
    def restore(cls, path: str | os.PathLike[str], trainable: Any = None, **changes: Any) -> Tuner:
        """A tuner that goes on with the run in this folder, with its own settings but for `changes`.

        More trials, more time, another searcher, scheduler, executor or space are given as to Tuner; the number of trials
        is the total. What the journal cannot hold (a lambda, an instance, a trainable of a script) must be given again.
        """
        path = os.path.abspath(path)
        reader = Reader(path)
        settings: dict[str, Any] = {}
        for event in reader.events(kinds=("opened", "changed")):
            settings.update(event.body["settings"])
        reader.close()
        if not settings:
            raise RunError(f"the run in {path!r} was ended before it began: start it anew with Tuner(...)")
        settings.pop("plugins", None)
        if unknown := set(changes) - set(settings) - {"param_space"}:
            raise OptionError(f"restore() takes the arguments of Tuner, not {', '.join(sorted(unknown))}")
        for fixed in ("name", "storage_path", "seed"):
            if fixed in changes:
                raise OptionError(f"{fixed}= belongs to the run and cannot be changed by restore()")
        given = {**settings, **changes}
        if trainable is not None:
            given["trainable"] = trainable
        if "param_space" not in changes:
            given["param_space"] = Space.from_json(settings["param_space"])
            if given["param_space"].opaque:
                raise OptionError("the space holds functions (sample_from, constraints): pass param_space= again")
        lost = [key for key, value in given.items() if _is_lost(value)]
        if lost:
            what = ", ".join(f"{key}= (it was {_repr_of(given[key])})" for key in lost)
            raise OptionError(f"the journal cannot hold everything: pass again {what}")
        given["storage_path"], given["name"] = os.path.split(path)
        tuner = cls(given.pop("trainable"), **given)
        tuner._resumed = path
        return tuner

    # --- parts -------------------------------------------------------------------------------------------------------

    @property
    def _in_memory(self) -> bool:
        return bool(self._given["storage_path"] == MEMORY)

    def _path(self) -> str:
        if not hasattr(self, "_folder"):
            storage = self._given["storage_path"]
            if self._in_memory:
                storage = os.path.join(tempfile.gettempdir(), f"microtune-{secrets.token_hex(4)}")  # made when first used
            elif storage is None:
                storage = os.environ.get("MICROTUNE_STORAGE", os.path.join("~", "microtune_runs"))
            self._folder = os.path.join(os.path.abspath(os.path.expanduser(storage)), self.name)
        return self._folder

    def _choose(self) -> list[Composed]:
        given = self._given
        searcher = given["searcher"]
        if searcher is None:
            searcher = "grid" if self.space.grid_size > 1 else "random"
        front = choose(SEARCHER, searcher)
        if given["warm_start"]:
            front = self._put("WarmStart", front, paths=[os.path.abspath(p) for p in given["warm_start"]])
        if given["points_to_evaluate"]:
            front = self._put("PointsToEvaluate", front, points=list(given["points_to_evaluate"]))
        chosen = [choose(STOPPER, rule) for rule in parse_stop(given["stop"])]
        if given["scheduler"] is not None:
            chosen.append(choose(SCHEDULER, given["scheduler"]))
        chosen += [modify(given["modifiers"], front), choose(EXECUTOR, given["executor"])]
        names: dict[str, int] = {}
        for logger in given["loggers"]:
            one = choose(LOGGER, logger)
            names[one.name] = names.get(one.name, 0) + 1
            chosen.append(one if names[one.name] == 1 else one._replace(name=f"{one.name}#{names[one.name]}"))
        return chosen

    @staticmethod
    def _put(name: str, searcher: Composed, **options: Any) -> Composed:
        """One of the kernel's own modifiers in front of the searcher. Its options are the Tuner's and journalled there."""
        plugin = getattr(import_module("microtune.modifiers"), name)(searcher.plugin, **options)
        return Composed(SEARCHER, searcher.name, plugin, searcher.described)

    def _settings(self, chosen: list[Composed]) -> dict[str, Any]:
        """What the journal keeps: the arguments of Tuner, and what was composed of them."""
        settings = {key: _to_json(value) for key, value in self._given.items()}
        settings["param_space"] = self.space.to_json()
        settings["trainable"] = _spell(self._given["trainable"])
        settings["seed"] = self.seed
        del settings["name"], settings["storage_path"]
        described = [json.loads(json.dumps(one.described, default=repr)) for one in chosen]
        settings["plugins"] = described
        return settings


# --- checking and spelling arguments ---------------------------------------------------------------------------------


def resolve_trainable(trainable: Any) -> Any:
    """A function or class as it is, or imported from "module:name"."""
    if isinstance(trainable, str):
        module, _, attribute = trainable.partition(":")
        if not attribute:
            raise OptionError(f"trainable={trainable!r}: a trainable in text is 'module:function'")
        try:
            return getattr(import_module(module), attribute)
        except ImportError as error:
            raise OptionError(f"trainable={trainable!r}: the module cannot be imported: {error}") from error
        except AttributeError as error:
            raise OptionError(f"trainable={trainable!r}: {error}") from error
    if not callable(trainable):
        raise OptionError(f"trainable is {trainable!r}: give a function of config, a Trainable class, or 'module:function'")
    return trainable


def _name_of(trainable: Any) -> str:
    return re.sub(r"\W+", "-", getattr(trainable, "__name__", type(trainable).__name__)).strip("-") or "run"


def _spell(value: Any) -> Any:
    """A function or class by where it can be imported from, or as lost."""
    if isinstance(value, str):
        return value
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if module and module != "__main__" and name.isidentifier():
        return f"{module}:{name}"
    return {_LOST: repr(value)}


def _to_json(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, type) and value.__module__ != "__main__" and value.__qualname__.isidentifier():
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {_LOST: repr(value)}


def _is_lost(value: Any) -> bool:
    if isinstance(value, dict):
        return _LOST in value or any(_is_lost(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_is_lost(item) for item in value)


def _repr_of(value: Any) -> str:
    if isinstance(value, dict) and _LOST in value:
        return str(value[_LOST])
    return repr(value)


def _as_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name} is {value!r}: it must be a dict")
    return dict(value)


def _positive(name: str, value: Any, *, whole: bool = False) -> None:
    if value is None:
        return
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        what = "a whole number above zero" if whole else "a number of seconds above zero"
        raise OptionError(f"{name}={value!r}: it must be {what}" + ("; None means no limit" if name != "grace_s" else ""))


def _resources(resources: Mapping[str, float] | None) -> dict[str, float]:
    given = {"cpu": 1.0} if resources is None else _as_dict(resources, "resources")
    for key, amount in given.items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < float("inf"):
            raise OptionError(f"resources: {key!r} is {amount!r}; it must be a number, zero or more")
    return given


_CHECKPOINT_KEYS = ("keep", "metric", "mode", "every", "at_end")


def _checkpoints(checkpoints: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {} if checkpoints is None else _as_dict(checkpoints, "checkpoints")
    for key in given:
        if key not in _CHECKPOINT_KEYS:
            raise OptionError(f"checkpoints has no key {key!r}: {', '.join(_CHECKPOINT_KEYS)}")
    for key, least in (("keep", 1), ("every", 0)):
        value = given.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"checkpoints: {key} is {value!r}; it must be a whole number, at least {least}")
    if "mode" in given and given["mode"] not in ("min", "max"):
        raise OptionError(f"checkpoints: mode is {given['mode']!r}; it must be 'min' or 'max'")
    return given

