"""Tuner: what users call."""

from __future__ import annotations

import inspect
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from microtune import arguments, remote, restoring
from microtune.compose import (
    EXECUTOR,
    LOGGER,
    SCHEDULER,
    SEARCHER,
    STOPPER,
    Composed,
    choose,
    compose,
    modify,
)
from microtune.facts import Facts, Limits
from microtune.faults import OptionError, RunError
from microtune.journal import MEMORY, Journal
from microtune.kernel import Policy
from microtune.modifiers import PointsToEvaluate, configs_of
from microtune.objective import Objective
from microtune.results import ResultGrid
from microtune.run import Run
from microtune.signals import Signals, ended_by, farewell
from microtune.space import Space
from microtune.stopping import parse_stop
from microtune.storage import passing_storage, storage_path
from microtune.warm_start import Source, WarmStart, sources


class Tuner:
    """Tune `trainable` over `param_space`.

    trainable: a function of `config`, a `Trainable` class, or "module:function".
    param_space: a dict of domains (`loguniform`, `choice`, ...), constants, dicts and lists, or a `Space`. Empty only where the
        searcher has a space of its own, as Optuna's has where it is given a function.
    metric, mode: what to optimise and "min" or "max"; lists for several objectives.
    num_samples: number of trials, times the size of the grid if there is one; None: no limit.
    searcher: by name, "name:option=value", class or instance; "grid" where the space has a grid_search, else "random".
    scheduler, executor, loggers, modifiers: likewise. One instance serves one run.
    stop: {"metric": value}, "loss < 0.1", a callable (trial_id, metrics) -> bool, a stop rule, or a list of these.
    time_budget_s: seconds for the run, over all its sessions.
    max_concurrent_trials: how many may run at once; None: as many as the executor can hold.
    points_to_evaluate: configs to try first; what they leave out is sampled.
    warm_start: folders of earlier runs whose finished trials the searcher is told.
    resources: what a trial needs, such as {"cpu": 1, "gpu": 0.5}, or a function of its config that returns that.
    max_failures: how often a failed trial is retried from its last checkpoint; -1: for ever.
    fail_fast: the first failed trial ends the run.
    trial_timeout_s, report_timeout_s: seconds for one attempt of a trial, and between two of its reports.
    grace_s: seconds that a trial has to leave once it was told to; then it is killed.
    checkpoints: {"keep": 2, "metric": "accuracy", "mode": "max", "every": 1, "at_end": True}, each optional. keep: how many
        of a trial's stay, the last or, with a metric, the best; every, at_end: when a Trainable class saves one.
    name, storage_path: the run's folder is <storage_path>/<name>; storage_path=":memory:" keeps the journal in memory, and
        the folder until the process ends. With a URL (s3://bucket/tune, gs://..., whatever fsspec reaches) checkpoints go
        to <storage_path>/<name> and everything else to $MICROTUNE_STORAGE/<name> on this machine, ~/microtune_runs/<name>
        by default, which is what is restored. A folder that all machines share, such as one on NFS, is a folder like any
        other.
    seed: of all randomness; None: drawn, and kept in the journal.
    """

    def __init__(
        self,
        trainable: Callable[[dict[str, Any]], Any] | type[Any] | str,
        *,
        param_space: Mapping[str, Any] | Space = {},  # noqa: B006, it is only read
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
        resources: Mapping[str, float] | Callable[[dict[str, Any]], Mapping[str, float]] | None = None,
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
        self._id = secrets.token_hex(4)  # of the run; a restored one keeps its own
        self._journal: Journal | None = None
        self._retry_failed = False
        self._warm: list[Source] = []  # the runs of warm_start, as far as they count
        self.trainable = arguments.resolve_trainable(trainable)
        self.space = param_space if isinstance(param_space, Space) else Space(arguments.as_dict(param_space, "param_space"))
        self.objective = Objective(metric, mode)
        arguments.listed("loggers", loggers, "['console', 'csv']")
        arguments.listed("modifiers", modifiers, "['dedup']")
        arguments.listed("warm_start", warm_start, "['runs/first']: folders of runs")
        arguments.listed("points_to_evaluate", points_to_evaluate or (), "[{'lr': 0.1}]")
        for index, point in enumerate(points_to_evaluate or ()):
            configs_of(point, index, self.space)
        parse_stop(stop)
        arguments.positive("num_samples", num_samples, whole=True)
        arguments.positive("max_concurrent_trials", max_concurrent_trials, whole=True)
        for key in ("time_budget_s", "trial_timeout_s", "report_timeout_s", "grace_s"):
            arguments.positive(key, self._given[key])
        if isinstance(max_failures, bool) or not isinstance(max_failures, int) or max_failures < -1:
            raise OptionError(f"max_failures={max_failures!r}: it must be a whole number; 0 means no retry, -1 no limit")
        if not isinstance(fail_fast, bool):
            raise OptionError(f"fail_fast={fail_fast!r}: it must be True or False")
        self.resources = arguments.resources(resources)
        self.checkpoints = arguments.checkpoints(checkpoints, self.objective)
        self.seed = secrets.randbits(31) if seed is None else arguments.whole("seed", seed)
        if name is not None and not isinstance(name, str):
            raise OptionError(f"name={name!r}: it must be a string")
        if storage_path is not None and not isinstance(storage_path, (str, os.PathLike)):
            raise OptionError(f"storage_path={storage_path!r}: it must be the path of a folder, or a URL")
        self.name = name or f"{arguments.name_of(self.trainable)}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        if os.sep in self.name or self.name in (".", "..") or not self.name.isprintable():
            raise OptionError(f"name={self.name!r} is the name of one folder: put the rest of the path into storage_path=")
        self._remote = arguments.remote_of(storage_path, self.name)

    # --- running -----------------------------------------------------------------------------------------------------

    def fit(self) -> ResultGrid:
        """Run it to its end and return the results. The first Ctrl-C, SIGTERM or SIGHUP drains the run, then raises.

        Raises RunError where the run cannot go on (PluginError where a plugin is to blame); it can be resumed then.
        """
        run: Run | None = None

        def interrupt(signum: int) -> None:
            if run is not None:
                run.interrupt(signum)

        with Signals(interrupt) as signals:
            try:
                run = self.open(signals.wakeup_fd)
                if signals.received is not None:  # while the run was being set up
                    run.interrupt(signals.received)
                run.drive()
            except (KeyboardInterrupt, SystemExit) as end:
                if signals.forced is not None:
                    end.args = (self._farewell(signals.forced, begun=run is not None or self._resumed is not None),)
                raise
        if signals.received is not None and run.outcome[0] is False:
            raise ended_by(signals.received, self._farewell(signals.received))
        return self.results()

    def _farewell(self, signum: int, *, begun: bool = True) -> str:
        return farewell(signum, None if self._in_memory else self.path, begun, self._lost())

    def _lost(self) -> list[str]:
        """The arguments that the journal cannot hold, which restore() needs again."""
        spelled = {key: arguments.to_json(value) for key, value in self._given.items() if key != "param_space"}
        spelled["trainable"] = arguments.spell(self._given["trainable"])
        return [key for key, value in spelled.items() if arguments.is_lost(value)] + ["param_space"] * self.space.opaque

    def open(self, wakeup_fd: int | None = None) -> Run:
        """The run, set up and ready for `step()`. Whoever opens it closes it: `fit` does both."""
        path = self.path
        if self._journal is not None:
            raise RunError(
                f"this Tuner has had its run, {path!r}: results() has what came of it. Make another Tuner for another run, or "
                "go on with this one through Tuner.restore(path, num_samples=...)"
            )
        chosen = self._choose()
        settings = self._settings(chosen)
        journal = Journal(MEMORY if self._in_memory else path, create=self._resumed is None)
        given = self._given
        facts = Facts(
            id=self._id, name=self.name, path=path, seed=self.seed, space=self.space, objective=self.objective,
            num_samples=given["num_samples"], resources=self.resources, trainable=self.trainable,
            limits=Limits(
                time=given["time_budget_s"], trial=given["trial_timeout_s"], report=given["report_timeout_s"],
                grace=given["grace_s"], trials=self.space.count(given["num_samples"], given["points_to_evaluate"] or ()),
            ),
            checkpoints=self.checkpoints, max_concurrent_trials=given["max_concurrent_trials"],
            resources_of=given["resources"] if callable(given["resources"]) else None,
            resumed=self._resumed is not None, remote=self._remote, wakeup_fd=wakeup_fd,
        )  # fmt: skip
        policy = Policy(given["max_failures"], given["fail_fast"], given["max_concurrent_trials"])
        try:
            resume = self._resumed is not None
            if self._remote is not None:
                remote.claim(self._remote, self._id, path, resume=resume)
            run = Run(facts, compose(chosen), journal, policy, settings, resume=resume, retry_failed=self._retry_failed)
        except BaseException:
            journal.close()
            if self._resumed is None:
                journal.discard()
            raise
        run.start()
        self._journal = journal
        return run

    def results(self) -> ResultGrid:
        """The results so far."""
        if self._in_memory and self._journal is None:
            raise RunError("there are no results yet: call fit() first")
        return ResultGrid(self.path, self.objective, source=self._journal if self._in_memory else None)

    # --- resuming ----------------------------------------------------------------------------------------------------

    @classmethod
    def restore(
        cls, path: str | os.PathLike[str], trainable: Any = None, *, retry_failed: bool = False, **changes: Any
    ) -> Tuner:
        """A tuner that goes on with the run in this folder, with its own settings but for `changes`.

        More trials, more time, another searcher, scheduler, executor, space or metric, other loggers are given as to Tuner;
        the number of trials is the total. What the journal cannot hold (a lambda, an instance, a trainable of a script) must
        be given again.

        Trials that are over stay as they are. retry_failed: for each failed one a new trial takes its config and its last
        checkpoint; num_samples does not count it. A trial that is not over and lies outside of another space is stopped.
        """
        found = restoring.find(path)
        given = restoring.changed(found, trainable, changes, inspect.signature(cls).parameters)
        tuner = cls(given.pop("trainable"), **given)
        tuner._resumed, tuner._id, tuner._warm, tuner._remote = found.path, found.id, found.warm, found.remote
        tuner._retry_failed = retry_failed
        if "num_samples" in changes:
            limit = tuner.space.count(tuner._given["num_samples"], tuner._given["points_to_evaluate"] or ())
            restoring.refuse_fewer(found, tuner._given["num_samples"], limit)
        return tuner

    # --- parts -------------------------------------------------------------------------------------------------------

    @property
    def _in_memory(self) -> bool:
        return bool(self._given["storage_path"] == MEMORY)

    @property
    def path(self) -> str:
        """The folder of the run."""
        if not hasattr(self, "_folder"):
            given = self._given["storage_path"]
            named = None if remote.is_url(given) else given
            self._folder = os.path.join(passing_storage() if self._in_memory else storage_path(named), self.name)
        return self._folder

    def _choose(self) -> list[Composed]:
        given = self._given
        grids = next(self.space.cells())  # what a cell sets
        searcher = given["searcher"]
        front = choose(SEARCHER, searcher if searcher is not None else "grid" if grids else "random")
        if grids and not getattr(front.plugin, "grid", False):
            where = f"which the space has at {', '.join(map(repr, grids))}"
            raise OptionError(f"{front.title} does not go through grid_search, {where}: use searcher='grid', or choice()")
        if not self.space.spec and not getattr(front.plugin, "own_space", False):
            what = f"param_space is empty, and {front.title} has no space of its own"
            raise OptionError(f"{what}: name a parameter, such as {{'lr': microtune.loguniform(1e-5, 1e-1)}}")
        self._warm = sources(given["warm_start"], self._warm, self._id)
        if self._warm:
            front = self._put(WarmStart, front, sources=self._warm)
        if given["points_to_evaluate"]:
            front = self._put(PointsToEvaluate, front, points=list(given["points_to_evaluate"]))
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
    def _put(modifier: type[Any], searcher: Composed, **options: Any) -> Composed:
        """One of the kernel's own modifiers in front of the searcher. Its options are the Tuner's and journalled there."""
        return Composed(SEARCHER, searcher.name, modifier(searcher.plugin, **options), searcher.described, searcher)

    def _settings(self, chosen: list[Composed]) -> dict[str, Any]:
        """What the journal keeps: the arguments of Tuner, and what was composed of them."""
        settings = {key: arguments.to_json(value) for key, value in self._given.items()}
        settings["param_space"] = self.space.to_json()
        settings["trainable"] = arguments.spell(self._given["trainable"])
        settings["seed"], settings["warm_started"] = self.seed, self._warm
        del settings["name"], settings["storage_path"]
        described = [json.loads(json.dumps(one.described, default=repr)) for one in chosen]
        settings["plugins"] = described
        if self._remote is not None:
            settings["remote"] = self._remote
        return settings
