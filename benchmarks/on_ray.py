"""Tuning on a Ray cluster: microtune with executor="ray" beside Ray Tune, on one cluster in one run.

    python benchmarks/on_ray.py                  five minutes; needs ray[tune], microtune and microtune-execute-ray
    python benchmarks/on_ray.py --quick          fewer trials, one round
    python benchmarks/on_ray.py --only trials    the measurements with this in their name

One local cluster of two CPUs is started. Every number comes from a process of its own that joins it, the two tuners taking
turns; shown is the median of the rounds, and how many times better microtune is. Ray Tune is given its best case, as in
tuner_ray.py: actors are reused, no default loggers, no console output. Both write to disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

from answer import MARK, main, utilisation

OURS, THEIRS = "microtune", "Ray Tune"
SECONDS = 0.05  # of a short trial
TIMEOUT = 600  # seconds for one number
ADDRESS = "MICROTUNE_BENCHMARK_CLUSTER"  # where the child processes find the cluster


class Measurement(NamedTuple):
    name: str
    title: str
    unit: str
    target: str
    more_is_better: bool
    full: dict[str, int]
    quick: dict[str, int]


MEASUREMENTS = [
    Measurement("trials", "no-op trials", "/s", "over 300", True, {"trials": 1_000}, {"trials": 200}),
    Measurement(
        "reports", "reports of one trial, ASHA deciding each", "/s", "over 1,500", True, {"reports": 5_000}, {"reports": 1_000}
    ),
    Measurement("first_result", "ray.init to the first result", "s", "less than Ray Tune", False, {}, {}),
    Measurement(
        "short_trials", "200 trials of 50 ms, 2 at a time", "% of ideal", "over 95", True, {"trials": 200}, {"trials": 200}
    ),
]


# --- what a child process measures, on the cluster that it has joined ---------------------------------------------------


def begin() -> None:
    import ray

    ray.init(address=os.environ[ADDRESS], log_to_driver=False, logging_level="ERROR")


def ours_trials(trials: int) -> float:
    import tuner_ours

    begin()
    return tuner_ours.trials(trials, executor="ray")


def ours_reports(reports: int) -> float:
    import tuner_ours

    begin()
    return tuner_ours.reports(reports, executor="ray")


def ours_first_result() -> float:
    import tuner_ours

    first = tuner_ours.First()
    begin()
    since = time.time()
    tuner_ours.fit(tuner_ours.no_op, 1, executor="ray", logger=first)
    return first.at - since


def ours_short_trials(trials: int) -> float:
    import tuner_ours

    begin()
    _, metrics = tuner_ours.fit(_spanned(), trials, executor="ray")
    return utilisation([(m["begin"], m["end"]) for m in metrics], seconds=SECONDS)


def theirs_trials(trials: int) -> float:
    return _tuner_ray().trials(trials)


def theirs_reports(reports: int) -> float:
    return _tuner_ray().reports(reports)


def theirs_first_result() -> float:
    tuner_ray = _tuner_ray()
    first = tuner_ray.First()
    begin()
    since = time.time()
    tuner_ray.fit(tuner_ray.no_op, 1, callback=first)
    return first.at - since


def theirs_short_trials(trials: int) -> float:
    tuner_ray, spanned = _tuner_ray(), _spanned()

    def trainable(config: dict[str, Any]) -> None:
        tuner_ray.tune.report(spanned(config))

    begin()
    results = tuner_ray.fit(trainable, trials)
    return utilisation([(r.metrics["begin"], r.metrics["end"]) for r in results], seconds=SECONDS)


def _tuner_ray() -> Any:
    import tuner_ray

    tuner_ray.start = begin
    return tuner_ray


def _spanned() -> Callable[[dict[str, Any]], dict[str, float]]:
    seconds = SECONDS

    def trainable(config: dict[str, Any]) -> dict[str, float]:
        begin = time.time()
        time.sleep(seconds)
        return {"loss": 0.0, "begin": begin, "end": time.time()}

    return trainable


# --- the parent ---------------------------------------------------------------------------------------------------------


def ask(who: str, measurement: Measurement, sizes: dict[str, int], address: str) -> float:
    function = f"{'ours' if who == OURS else 'theirs'}_{measurement.name}"
    command = [sys.executable, __file__, function, *(f"{key}={value}" for key, value in sizes.items())]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env={**os.environ, ADDRESS: address}
    )
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(MARK):
            value = float(json.loads(line.removeprefix(MARK)))
            return value * 100 if measurement.unit.startswith("%") else value
    raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-3000:]}")


def compare(measurement: Measurement, address: str, rounds: int, quick: bool) -> dict[str, Any]:
    sizes = measurement.quick if quick else measurement.full
    told: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for _ in range(rounds):
        for who, values in told.items():
            values.append(ask(who, measurement, sizes, address))
    ours, theirs = (statistics.median(values) for values in told.values())
    ratio = ours / theirs if measurement.more_is_better else theirs / ours
    print(
        f"{measurement.title:<42} {ours:>9,.4g} {theirs:>9,.4g} {measurement.unit:<10} {ratio:>7,.3g} x   {measurement.target}",
        flush=True,
    )
    return {"measurement": measurement.title, "unit": measurement.unit, **told}


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials, one round")
    parser.add_argument("--only", default="", help="only measurements with this in their name or title")
    parser.add_argument("--rounds", type=int, default=0, help="how often each number is taken (default 3; quick: 1)")
    parser.add_argument("--json", metavar="FILE", help="write every single number there")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)

    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        address = ray.get_runtime_context().gcs_address
        print(f"ray {ray.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} round(s)")
        print(f"{'':<42} {OURS:>9} {THEIRS:>9}")
        chosen = [m for m in MEASUREMENTS if arguments.only in m.name or arguments.only in m.title]
        found = [compare(measurement, address, rounds, arguments.quick) for measurement in chosen]
    finally:
        ray.shutdown()
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith(("ours_", "theirs_")):
        main(globals())
    else:
        run()
