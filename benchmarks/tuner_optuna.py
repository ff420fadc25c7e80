"""What overhead.py asks of Optuna: `python tuner_optuna.py MEASUREMENT [key=value ...]` prints one JSON line.

Optuna runs the objective in its own process, in a thread, so it ships nothing and cannot kill; `storage` is memory, journal
(a file) or sqlite.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from answer import main, median, resident, utilisation

optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def study(storage: str, pruner: Any = None) -> Iterator[optuna.Study]:
    with tempfile.TemporaryDirectory() as folder:
        place: Any = {
            "memory": lambda: None,
            "journal": lambda: JournalStorage(JournalFileBackend(f"{folder}/journal.log")),
            "sqlite": lambda: f"sqlite:///{folder}/study.db",
        }[storage]()
        yield optuna.create_study(storage=place, sampler=optuna.samplers.RandomSampler(), pruner=pruner)


def no_op(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", 0, 1)


def reporting(reports: int) -> Any:
    def objective(trial: optuna.Trial) -> float:
        for i in range(reports):
            trial.report(1 / (i + 1), step=i + 1)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 0.0

    return objective


def trials(trials: int, storage: str) -> float:
    with study(storage) as it:
        begin = time.perf_counter()
        it.optimize(no_op, trials)
        return trials / (time.perf_counter() - begin)


def reports(reports: int, storage: str) -> float:
    with study(storage, optuna.pruners.SuccessiveHalvingPruner()) as it:
        begin = time.perf_counter()
        it.optimize(reporting(reports), 1)
        return reports / (time.perf_counter() - begin)


def first_result(storage: str) -> float:
    with study(storage) as it:
        it.optimize(no_op, 1)
        return time.time()


def ten_milliseconds(trials: int, storage: str) -> float:
    spans = []

    def objective(trial: optuna.Trial) -> float:
        begin = time.time()
        time.sleep(0.01)
        spans.append((begin, time.time()))
        return 0.0

    with study(storage) as it:
        it.optimize(objective, trials, n_jobs=2)
    return utilisation(spans)


def memory_per_trial(warm: int, trials: int, storage: str) -> float:
    with study(storage) as it:
        it.optimize(no_op, warm)
        before = resident()
        it.optimize(no_op, trials)
        return (resident() - before) / trials


def memory_per_result(warm: int, reports: int, storage: str) -> float:
    with study(storage, optuna.pruners.NopPruner()) as it:
        it.optimize(reporting(warm), 1)
        before = resident()
        it.optimize(reporting(reports), 1)
        return (resident() - before) / reports


def memory_of_driver(trials: int, storage: str) -> float:
    with study(storage) as it:
        it.optimize(no_op, trials)
        return resident()


class PruneFirst(optuna.pruners.BasePruner):
    """Prunes every trial at its first report, and remembers when."""

    def __init__(self) -> None:
        self.decided: list[float] = []

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.decided.append(time.time())
        return True


def stop_to_start(trials: int, storage: str) -> float:
    begins = []

    def objective(trial: optuna.Trial) -> float:
        begins.append(time.time())
        trial.report(0.0, 1)
        if trial.should_prune():
            raise optuna.TrialPruned
        return 0.0

    pruner = PruneFirst()
    with study(storage, pruner) as it:
        it.optimize(objective, trials)
    return median([begin - decided for decided, begin in zip(pruner.decided, begins[1:], strict=False)])


if __name__ == "__main__":
    main(globals())
