"""What overhead.py asks of Ray Tune: `python tuner_ray.py MEASUREMENT [key=value ...]` prints one JSON line.

Ray is given its best case: actors are reused unless a measurement says otherwise, no dashboard, no console output, none of
its default loggers (CSV, JSON, TensorBoard); the start of the cluster counts for the first result only.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_AIR_NEW_OUTPUT="0", RAY_DEDUP_LOGS="0")

import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from answer import Resident, main, median, utilisation


def start() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


def fit(
    trainable: Any, trials: int, *, workers: int = 2, reuse: bool = True, scheduler: Any = None, callback: Any = None
) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return tune.Tuner(
            trainable,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                metric="loss", mode="min", num_samples=trials, scheduler=scheduler,
                reuse_actors=reuse, max_concurrent_trials=workers,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[callback] if callback else None),
        ).fit()  # fmt: skip


def no_op(config: dict[str, Any]) -> None:
    tune.report({"loss": config["x"]})


def trials(trials: int, reuse: bool = True) -> float:
    start()
    begin = time.perf_counter()
    fit(no_op, trials, reuse=reuse)
    return trials / (time.perf_counter() - begin)


def reports(reports: int) -> float:
    def trainable(config: dict[str, Any]) -> None:
        for i in range(reports):
            tune.report({"loss": 1 / (i + 1)})

    start()
    begin = time.perf_counter()
    fit(trainable, 1, scheduler=AsyncHyperBandScheduler(max_t=reports + 1))
    return reports / (time.perf_counter() - begin)


class First(tune.Callback):
    at = 0.0

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        self.at = self.at or time.time()


def first_result() -> float:
    first = First()
    start()
    fit(no_op, 1, callback=first)
    return first.at


def ten_milliseconds(trials: int) -> float:
    def trainable(config: dict[str, Any]) -> None:
        begin = time.time()
        time.sleep(0.01)
        tune.report({"loss": 0.0, "begin": begin, "end": time.time()})

    start()
    results = fit(trainable, trials)
    return utilisation([(r.metrics["begin"], r.metrics["end"]) for r in results])


class Watch(tune.Callback):
    """Takes the driver's memory at trials' ends, or at results."""

    def __init__(self, trials: Resident | None = None, results: Resident | None = None) -> None:
        self.trials = trials
        self.results = results

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        if self.results:
            self.results.happened()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self.trials:
            self.trials.happened()


def memory_per_trial(warm: int, trials: int) -> float:
    memory = Resident(warm, warm + trials)
    start()
    fit(no_op, warm + trials, callback=Watch(trials=memory))
    return memory.per_thing()


def memory_per_result(warm: int, reports: int) -> float:
    def trainable(config: dict[str, Any]) -> None:
        for i in range(warm + reports):
            tune.report({"loss": 1 / (i + 1)})

    memory = Resident(warm, warm + reports)
    start()
    fit(trainable, 1, callback=Watch(results=memory))
    return memory.per_thing()


def memory_of_driver(trials: int) -> float:
    memory = Resident(trials)
    start()
    fit(no_op, trials, callback=Watch(trials=memory))
    return memory.bytes[0]


class StopFirst(FIFOScheduler):
    """Stops every trial at its first report, and remembers when."""

    def __init__(self) -> None:
        super().__init__()
        self.decided: list[float] = []

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self.decided.append(time.time())
        return TrialScheduler.STOP


def stop_to_start(trials: int, reuse: bool = True) -> float:
    def trainable(config: dict[str, Any]) -> None:
        begin = time.time()
        while True:
            tune.report({"loss": 0.0, "begin": begin})

    start()
    scheduler = StopFirst()
    results = fit(trainable, trials, workers=1, reuse=reuse, scheduler=scheduler)
    begins = sorted(r.metrics["begin"] for r in results)
    return median([begin - decided for decided, begin in zip(scheduler.decided, begins[1:], strict=False)])


if __name__ == "__main__":
    main(globals())
