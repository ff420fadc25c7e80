"""Whom search_quality.py compares: each searcher as a plugin of microtune, and its library called as its own manual says.

A library gets the space in its own idiom, the same number of trials, and the seed as its own.
"""

from __future__ import annotations

import importlib.metadata
import logging
import math
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from quality_problems import Branches, Options, Problem, problems

Evaluate = Callable[[dict[str, Any]], float]  # of a config that may be nested; in the problem's own direction


class Searcher(NamedTuple):
    """`needs`: distributions. `slow`: a second or so for each trial, so that fewer seeds may be asked of it."""

    plugin: str
    library: Callable[[Problem, Evaluate, int, int], None] | None
    needs: tuple[str, ...]
    slow: bool = False

    def missing(self) -> list[str]:
        return [name for name in (*self.needs, "microtune-execute-inline") if version_of(name) is None]


def version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def run_plugin(plugin: str, problem: Problem, evaluate: Evaluate, trials: int, seed: int) -> None:
    import microtune as mt

    def domain(name: str, part: Any) -> Any:
        if isinstance(part, Options):
            return mt.choice(list(part.values))
        if isinstance(part, Branches):
            return mt.choice([{name: branch, **described(space)} for branch, space in part.spaces.items()])
        if part.integer:
            return (mt.lograndint if part.log else mt.randint)(part.low, part.high + 1)
        return (mt.loguniform if part.log else mt.uniform)(part.low, part.high)

    def described(space: dict[str, Any]) -> dict[str, Any]:
        return {name: domain(name, part) for name, part in space.items()}

    mt.Tuner(
        lambda config: {"value": evaluate(config)}, param_space=described(problem.space), metric="value", mode=problem.mode,
        num_samples=trials, searcher=plugin, executor="inline", loggers=(), storage_path=":memory:", seed=seed,
    ).fit()  # fmt: skip


# --- Optuna ----------------------------------------------------------------------------------------------------------


def direct_optuna(sampler: str) -> Callable[[Problem, Evaluate, int, int], None]:
    def run(problem: Problem, evaluate: Evaluate, trials: int, seed: int) -> None:
        import optuna

        def suggested(trial: optuna.Trial, space: dict[str, Any]) -> dict[str, Any]:
            config: dict[str, Any] = {}
            for name, part in space.items():
                if isinstance(part, Options):
                    config[name] = trial.suggest_categorical(name, part.values)
                elif isinstance(part, Branches):
                    config[name] = trial.suggest_categorical(name, tuple(part.spaces))
                    config |= suggested(trial, part.spaces[config[name]])
                elif part.integer:
                    config[name] = trial.suggest_int(name, int(part.low), int(part.high), log=part.log)
                else:
                    config[name] = trial.suggest_float(name, part.low, part.high, log=part.log)
            return config

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        direction = "minimize" if problem.mode == "min" else "maximize"
        study = optuna.create_study(direction=direction, sampler=getattr(optuna.samplers, sampler)(seed=seed))
        study.optimize(lambda trial: evaluate(suggested(trial, problem.space)), n_trials=trials)

    return run


# --- hyperopt --------------------------------------------------------------------------------------------------------


def direct_hyperopt(algorithm: str) -> Callable[[Problem, Evaluate, int, int], None]:
    def run(problem: Problem, evaluate: Evaluate, trials: int, seed: int) -> None:
        import hyperopt
        import numpy as np
        from hyperopt import hp
        from hyperopt.pyll import scope

        def node(name: str, part: Any) -> Any:
            if isinstance(part, Options):
                return hp.choice(name, list(part.values))
            if isinstance(part, Branches):
                return hp.choice(name, [{name: branch, **expression(space)} for branch, space in part.spaces.items()])
            if part.log:
                low, high = math.log(part.low), math.log(part.high)
                return scope.int(hp.qloguniform(name, low, high, 1)) if part.integer else hp.loguniform(name, low, high)
            return hp.uniformint(name, part.low, part.high) if part.integer else hp.uniform(name, part.low, part.high)

        def expression(space: dict[str, Any]) -> dict[str, Any]:
            return {name: node(name, part) for name, part in space.items()}

        sign = 1 if problem.mode == "min" else -1
        hyperopt.fmin(
            lambda config: sign * evaluate(config), expression(problem.space), algo=getattr(hyperopt, algorithm).suggest,
            max_evals=trials, rstate=np.random.default_rng(seed), verbose=False, show_progressbar=False,
        )  # fmt: skip

    return run


# --- nevergrad -------------------------------------------------------------------------------------------------------


def direct_nevergrad(optimizer: str) -> Callable[[Problem, Evaluate, int, int], None]:
    def run(problem: Problem, evaluate: Evaluate, trials: int, seed: int) -> None:
        import nevergrad as ng
        import numpy as np

        def variable(name: str, part: Any) -> Any:
            if isinstance(part, Options):
                return ng.p.Choice(list(part.values))
            if isinstance(part, Branches):
                return ng.p.Choice(
                    [ng.p.Dict(**{name: branch}, **variables(space)) for branch, space in part.spaces.items()]
                )
            made = (ng.p.Log if part.log else ng.p.Scalar)(lower=part.low, upper=part.high)
            return made.set_integer_casting() if part.integer else made

        def variables(space: dict[str, Any]) -> dict[str, Any]:
            return {name: variable(name, part) for name, part in space.items()}

        # Its own seed is that of the parametrization, but some of what NGOpt chooses draws from the global generators.
        random.seed(seed)
        np.random.seed(seed)
        parametrization = ng.p.Dict(**variables(problem.space))
        parametrization.random_state.seed(seed)
        asked = ng.optimizers.registry[optimizer](parametrization=parametrization, budget=trials, num_workers=1)
        sign = 1 if problem.mode == "min" else -1
        for _ in range(trials):
            candidate = asked.ask()
            asked.tell(candidate, sign * evaluate(candidate.value))

    return run


# --- Ax --------------------------------------------------------------------------------------------------------------


def direct_ax(problem: Problem, evaluate: Evaluate, trials: int, seed: int) -> None:
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
    from ax.utils.common.logger import ROOT_STREAM_HANDLER

    def configs(space: dict[str, Any]) -> list[Any]:
        listed: list[Any] = []
        for name, part in space.items():
            if isinstance(part, Options):
                listed.append(ChoiceParameterConfig(name, list(part.values), "str", is_ordered=False))
            elif isinstance(part, Branches):
                dependent = {branch: list(own) for branch, own in part.spaces.items()}
                listed.append(
                    ChoiceParameterConfig(
                        name, list(dependent), "str", is_ordered=False, dependent_parameters=dependent
                    )
                )
                for own in part.spaces.values():
                    listed += configs(own)
            else:
                kind, scaling = "int" if part.integer else "float", "log" if part.log else "linear"
                listed.append(RangeParameterConfig(name, (part.low, part.high), kind, scaling=scaling))
        return listed

    ROOT_STREAM_HANDLER.setLevel(logging.ERROR)
    client = Client(random_seed=seed)
    client.configure_experiment(configs(problem.space))
    client.configure_optimization("-value" if problem.mode == "min" else "value")
    client.configure_generation_strategy(method="fast")
    for _ in range(trials):
        for index, config in client.get_next_trials(1).items():
            client.complete_trial(index, {"value": evaluate(dict(config))})


BASELINE = "random"
OPTUNA = ("microtune-search-optuna", "optuna")
SEARCHERS = {
    BASELINE: Searcher("random", None, ("microtune-search-random",)),
    "bohb": Searcher("bohb", None, ("microtune-search-bohb",)),
    "hyperopt tpe": Searcher("hyperopt", direct_hyperopt("tpe"), ("microtune-search-hyperopt", "hyperopt")),
    "nevergrad NGOpt": Searcher("nevergrad", direct_nevergrad("NGOpt"), ("microtune-search-nevergrad", "nevergrad")),
    "optuna tpe": Searcher("optuna", direct_optuna("TPESampler"), OPTUNA),
    "optuna cmaes": Searcher("optuna:sampler=cmaes", direct_optuna("CmaEsSampler"), (*OPTUNA, "cmaes")),
    "optuna gp": Searcher("optuna:sampler=gp", direct_optuna("GPSampler"), (*OPTUNA, "scipy", "torch"), slow=True),
    "ax fast": Searcher("ax", direct_ax, ("microtune-search-ax", "ax-platform"), slow=True),
}


# --- one run of one of them ------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    problem: str
    searcher: str
    side: str  # plugin or library
    seed: int
    trials: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Cell:
        return cls(*(row[field] for field in cls._fields))

    @property
    def versions(self) -> dict[str, str | None]:
        return {name: version_of(name) for name in ("microtune-kernel", *SEARCHERS[self.searcher].needs)}


def run(cell: Cell, yahpo: Path) -> dict[str, Any]:
    """The row of the record: what was best, or the error. In a process of the pool."""
    warnings.simplefilter("ignore")
    problem, searcher = problems(yahpo)[cell.problem], SEARCHERS[cell.searcher]
    values: list[float] = []

    def evaluate(config: dict[str, Any]) -> float:
        flat: dict[str, Any] = {}
        for name, value in config.items():
            flat.update(value if isinstance(value, dict) else {name: value})
        values.append(problem.value(flat))
        return values[-1]

    row: dict[str, Any] = {**cell._asdict(), "versions": cell.versions}
    begin = time.perf_counter()
    try:
        if searcher.library is not None and cell.side == "library":
            searcher.library(problem, evaluate, cell.trials, cell.seed)
        else:
            run_plugin(searcher.plugin, problem, evaluate, cell.trials, cell.seed)
        if len(values) != cell.trials:
            raise RuntimeError(f"{len(values)} evaluations instead of {cell.trials}")
    except Exception as error:  # the others are run all the same
        return {**row, "error": f"{type(error).__name__}: {error}"}
    return {**row, "best": (min if problem.mode == "min" else max)(values), "seconds": time.perf_counter() - begin}
