"""What multi_fidelity.py compares, and one run of it: a tuning run on LCBench, in the surrogate's own time."""

from __future__ import annotations

import importlib.metadata
import json
import random
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from quality_problems import EPOCHS, INPUTS, VAL_ACCURACY, Config, Range, lcbench, surrogate

TIME = 0  # its place in the surrogate's output: seconds since the first epoch began
SAMPLE = 2000  # random configs, for what is said of them all
SHORTEST = 0.01  # seconds of an epoch; where the surrogate's time falls from one to the next it takes as much

RUNGS = "max_t=52,reduction_factor=3"
LATER = "grace_period=4"  # see what the accuracy after one epoch has to do with the final one, which is printed
# What shapes the network is copied with its weights. To the surrogate a copy is as if its config had been there from the start.
PBT = 'pbt:mutations=["batch_size", "learning_rate", "momentum", "weight_decay", "max_dropout"]'
BASELINE = "random"


class Method(NamedTuple):
    """A searcher and a scheduler. `population`: it has so many trials and no more."""

    searcher: str
    scheduler: str | None = None
    needs: tuple[str, ...] = ()
    population: int | None = None

    def versions(self) -> dict[str, str | None]:
        """None: it is not installed."""
        names = ("kernel", "execute-simulated", "search-random", *self.needs)
        return {name: version_of(f"microtune-{name}") for name in names}


HYPERBAND = ("schedule-hyperband",)
METHODS = {
    BASELINE: Method("random"),
    "ASHA stopping": Method("random", f"asha:{RUNGS}", ("schedule-asha",)),
    "ASHA promotion": Method("random", f"asha:{RUNGS},type=promotion", ("schedule-asha",)),
    "HyperBand": Method("random", f"hyperband:{RUNGS}", HYPERBAND),
    "BOHB": Method("bohb", f"hyperband:{RUNGS}", (*HYPERBAND, "search-bohb")),
    "median": Method("random", "median", ("schedule-median",)),
    "PBT of 25": Method("random", PBT, ("schedule-pbt",), population=25),
    "PBT of 200": Method("random", PBT, ("schedule-pbt",), population=200),
    "ASHA stopping, from 4": Method("random", f"asha:{RUNGS},{LATER}", ("schedule-asha",)),
    "ASHA promotion, from 4": Method("random", f"asha:{RUNGS},type=promotion,{LATER}", ("schedule-asha",)),
    "HyperBand, from 4": Method("random", f"hyperband:{RUNGS},{LATER}", HYPERBAND),
    "BOHB, from 4": Method("bohb", f"hyperband:{RUNGS},{LATER}", (*HYPERBAND, "search-bohb")),
}


class Cell(NamedTuple):
    """One run. `trainings`: the virtual time is that of so many full trainings on these workers."""

    task: str
    method: str
    seed: int
    workers: int
    trainings: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Cell:
        return cls(*(row[field] for field in cls._fields))


def version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


class Curves:
    """What a training reports at each epoch: the surrogate is asked for all of them at once."""

    def __init__(self, yahpo: Path, task: str) -> None:
        self._yahpo = yahpo
        self._code = json.loads((yahpo / "encoding.json").read_text())["OpenML_task_id"][task]
        self.space = lcbench(yahpo, task).space
        self._known: dict[tuple[float, ...], list[dict[str, float]]] = {}

    def __call__(self, config: Config, epoch: int) -> dict[str, float]:
        key = tuple(config[name] for name in INPUTS[1:])
        if key not in self._known:
            self._known[key] = self._curve(key)
        return self._known[key][epoch - 1]

    def full_training(self) -> float:
        """Its mean time in seconds, of random configs."""
        return float(self._sample(EPOCHS)[:, TIME].mean())

    def foretells(self, epoch: int) -> float:
        """The rank correlation of the accuracies after this epoch with the final ones, of random configs (Spearman)."""
        import numpy as np

        ranks = [self._sample(each)[:, VAL_ACCURACY].argsort().argsort() for each in (epoch, EPOCHS)]
        return float(np.corrcoef(ranks)[0, 1])

    def _sample(self, epoch: int) -> Any:
        rng = random.Random(0)
        space = declared(self.space)
        configs = [{name: domain.sample(rng) for name, domain in space.items()} for _ in range(SAMPLE)]
        return self._outputs([[epoch, *(config[name] for name in INPUTS[1:])] for config in configs])

    def _curve(self, key: tuple[float, ...]) -> list[dict[str, float]]:
        outputs = self._outputs([[epoch, *key] for epoch in range(1, EPOCHS + 1)])
        curve, before = [], 0.0
        for at, accuracy in zip(outputs[:, TIME].tolist(), outputs[:, VAL_ACCURACY].tolist(), strict=True):
            curve.append({"accuracy": accuracy, "seconds": max(at - before, SHORTEST)})
            before = max(at, before)
        return curve

    def _outputs(self, rows: list[list[float]]) -> Any:
        import numpy as np

        tasks = np.full((len(rows), 1), self._code, np.int32)
        return surrogate(self._yahpo).run(None, {"x_cat": tasks, "x_cont": np.asarray(rows, np.float32)})[0]


@cache
def curves(yahpo: Path, task: str) -> Curves:
    return Curves(yahpo, task)


def declared(space: dict[str, Any]) -> dict[str, Any]:
    import microtune as mt

    def domain(part: Range) -> Any:
        if part.integer:
            return (mt.lograndint if part.log else mt.randint)(int(part.low), int(part.high) + 1)
        return (mt.loguniform if part.log else mt.uniform)(part.low, part.high)

    return {name: domain(part) for name, part in space.items()}


def incumbents() -> Any:
    """A logger that keeps when each accuracy was first reported that was the best so far, and counts."""
    from microtune import Event, hookimpl

    class Incumbents:
        def __init__(self) -> None:
            self.path: list[tuple[float, float]] = []
            self.trials = self.epochs = 0

        @hookimpl
        def log(self, event: Event) -> None:
            if event.kind == "created":
                self.trials += 1
            if event.kind == "result" and not event.body.get("repeat"):
                self.epochs += 1
                accuracy = event.body["metrics"]["accuracy"]
                if not self.path or accuracy > self.path[-1][1]:
                    self.path.append((event.at, accuracy))

    return Incumbents()


def run(cells: list[Cell], budget: float, yahpo: Path) -> list[dict[str, Any]]:
    """The rows of these runs of one task and seed, many of which train the same configs. In a process of the pool."""
    import microtune as mt
    from microtune_execute_simulated import Curve, SimulatedExecutor

    warnings.simplefilter("ignore")
    rows = []
    for cell in cells:
        method, found = METHODS[cell.method], incumbents()
        learnt = curves(yahpo, cell.task)
        begin = time.perf_counter()
        error = None
        try:
            mt.Tuner(
                Curve(learnt, steps=EPOCHS), param_space=declared(learnt.space), metric="accuracy", mode="max",
                num_samples=method.population, searcher=method.searcher, scheduler=method.scheduler,
                executor=SimulatedExecutor(workers=cell.workers, seconds="seconds"), time_budget_s=budget,
                checkpoints={"every": 1}, loggers=(found,), storage_path=":memory:", seed=cell.seed,
            ).fit()  # fmt: skip
        except Exception as failure:  # the others are run all the same
            error = f"{type(failure).__name__}: {failure}"
        row = {**cell._asdict(), "versions": method.versions(), "budget": budget}
        if error is not None:
            rows.append({**row, "error": error})
            continue
        rows.append({
            **row, "path": found.path, "trials": found.trials, "epochs": found.epochs, "seconds": time.perf_counter() - begin,
        })  # fmt: skip
    curves.cache_clear()  # of the next seed hardly a config is the same
    return rows
