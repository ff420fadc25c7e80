"""What overhead.py asks of microtune: `python tuner_ours.py MEASUREMENT [key=value ...]` prints one JSON line.

The journal is on disk everywhere, and no logger is composed beside the one that measures.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import microtune as mt
from answer import Resident, main, median, utilisation


def fit(trainable: Any, trials: int, *, executor: str = "local:workers=2", scheduler: Any = None, logger: Any = None) -> Any:
    """(seconds of fit(), the metrics of every trial)"""
    with tempfile.TemporaryDirectory() as folder:
        tuner = mt.Tuner(
            trainable, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=trials,
            executor=executor, scheduler=scheduler, loggers=[logger] if logger else [], storage_path=folder, seed=1,
        )  # fmt: skip
        begin = time.perf_counter()
        results = tuner.fit()
        seconds = time.perf_counter() - begin
        return seconds, [trial.metrics for trial in results]


def no_op(config: dict[str, Any]) -> float:
    return config["x"]


def trials(trials: int, executor: str = "local:workers=2") -> float:
    seconds, metrics = fit(no_op, trials, executor=executor)
    assert len(metrics) == trials
    return trials / seconds


def reports(reports: int, executor: str = "local:workers=2") -> float:
    def trainable(config: dict[str, Any]) -> None:
        for i in range(reports):
            mt.report(loss=1 / (i + 1))

    seconds, metrics = fit(trainable, 1, executor=executor, scheduler=f"asha:max_t={reports + 1}")
    assert metrics[0]["training_iteration"] == reports
    return reports / seconds


class First:
    """Remembers when a logger would have heard of the first result: after its commit."""

    at = 0.0

    @mt.hookimpl
    def log(self, event: mt.Event) -> None:
        if event.kind == "result":
            self.at = self.at or time.time()


def first_result() -> float:
    first = First()
    fit(no_op, 1, logger=first)
    return first.at


def ten_milliseconds(trials: int) -> float:
    def trainable(config: dict[str, Any]) -> dict[str, float]:
        begin = time.time()
        time.sleep(0.01)
        return {"loss": 0.0, "begin": begin, "end": time.time()}

    _, metrics = fit(trainable, trials)
    return utilisation([(m["begin"], m["end"]) for m in metrics])


class Watch:
    """Takes the driver's memory at trials' ends, or at results."""

    def __init__(self, trials: Resident | None = None, results: Resident | None = None) -> None:
        self.trials = trials
        self.results = results

    @mt.hookimpl
    def on_result(self) -> None:
        if self.results:
            self.results.happened()

    @mt.hookimpl
    def on_end(self) -> None:
        if self.trials:
            self.trials.happened()


def memory_per_trial(warm: int, trials: int) -> float:
    memory = Resident(warm, warm + trials)
    fit(no_op, warm + trials, logger=Watch(trials=memory))
    return memory.per_thing()


def memory_per_result(warm: int, reports: int) -> float:
    def trainable(config: dict[str, Any]) -> None:
        for i in range(warm + reports):
            mt.report(loss=1 / (i + 1))

    memory = Resident(warm, warm + reports)
    fit(trainable, 1, logger=Watch(results=memory))
    return memory.per_thing()


def memory_of_driver(trials: int) -> float:
    memory = Resident(trials)
    fit(no_op, trials, logger=Watch(trials=memory))
    return memory.bytes[0]


class StopFirst:
    """Stops every trial at its first report, and remembers when."""

    def __init__(self) -> None:
        self.decided: list[float] = []

    @mt.hookimpl
    def decide(self) -> mt.Stop:
        self.decided.append(time.time())
        return mt.Stop("measured")


def stop_to_start(trials: int) -> float:
    def trainable(config: dict[str, Any]) -> None:
        begin = time.time()
        while True:
            mt.report(loss=0.0, begin=begin)

    scheduler = StopFirst()
    _, metrics = fit(trainable, trials, executor="local:workers=1", scheduler=scheduler)
    begins = sorted(m["begin"] for m in metrics)
    return median([begin - decided for decided, begin in zip(scheduler.decided, begins[1:], strict=False)])


if __name__ == "__main__":
    main(globals())
