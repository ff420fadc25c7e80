"""What tuning itself costs, beside the training: microtune, Ray Tune and Optuna in one run, side by side.

    python benchmarks/overhead.py                    everything that is installed (eight minutes with both peers)
    python benchmarks/overhead.py --quick            fewer trials, a few minutes
    python benchmarks/overhead.py --peers optuna     or --peers "" for microtune alone
    python benchmarks/overhead.py --only reports     the measurements with this in their title

Every number comes from a process of its own; what is measured stands in tuner_*.py. The last column says how many times
better the first row of microtune is than this one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from answer import MARK

OURS, RAY, OPTUNA = "microtune", "ray", "optuna"
SCRIPT = {OURS: "tuner_ours.py", RAY: "tuner_ray.py", OPTUNA: "tuner_optuna.py"}
NAME = {OURS: "microtune", RAY: "Ray Tune", OPTUNA: "Optuna"}
DISTRIBUTION = {OURS: "microtune-kernel", RAY: "ray", OPTUNA: "optuna"}
STORAGES = ("memory", "journal", "sqlite")
HERE = Path(__file__).parent
TIMEOUT = 900  # seconds for one number


class Row(NamedTuple):
    tuner: str
    label: str
    function: str
    arguments: dict[str, Any]


class Measurement(NamedTuple):
    title: str
    unit: str
    target: str
    more_is_better: bool
    rows: list[Row]


def measurements(quick: bool) -> list[Measurement]:
    """The whole list. The peers' counts are what they get done in reasonable time: their rates do not rise with more."""

    def size(full: int, small: int) -> int:
        return small if quick else full

    def row(tuner: str, label: str, function: str, **arguments: Any) -> Row:
        counted = [f"{arguments[key]:,} {key}" for key in ("trials", "reports") if key in arguments]
        return Row(tuner, ", ".join([label, *counted]) if function in ("trials", "reports") else label, function, arguments)

    def optuna(function: str, label: str = "{}", **arguments: Any) -> list[Row]:
        return [row(OPTUNA, label.format(storage), function, storage=storage, **arguments) for storage in STORAGES]

    few = size(1_000, 200)
    return [
        Measurement("no-op trials", "/s", "over 5,000, goal 10,000; at 50,000 trials within 1.2 times of 1,000", True, [
            row(OURS, "local, 2 workers, journal", "trials", trials=size(10_000, 2_000)),
            row(OURS, "local, 2 workers, journal", "trials", trials=size(1_000, 1_000)),
            *([] if quick else [row(OURS, "local, 2 workers, journal", "trials", trials=50_000)]),
            row(OURS, "inline, journal", "trials", trials=size(10_000, 2_000), executor="inline"),
            row(RAY, "2 actors, reused", "trials", trials=few),
            row(RAY, "2 actors, not reused", "trials", trials=size(40, 10), reuse=False),
            row(OPTUNA, "1 thread, memory", "trials", trials=size(10_000, 2_000), storage="memory"),
            row(OPTUNA, "1 thread, journal", "trials", trials=few, storage="journal"),
            row(OPTUNA, "1 thread, sqlite", "trials", trials=size(1_000, 200), storage="sqlite"),
        ]),
        Measurement("reports of one trial, ASHA deciding each", "/s", "over 12,000, goal 20,000", True, [
            row(OURS, "local, journal", "reports", reports=size(50_000, 10_000)),
            row(OURS, "inline, journal", "reports", reports=size(50_000, 10_000), executor="inline"),
            row(RAY, "1 actor", "reports", reports=size(5_000, 1_000)),
            row(OPTUNA, "1 thread, memory", "reports", reports=size(10_000, 10_000), storage="memory"),
            row(OPTUNA, "1 thread, journal", "reports", reports=size(5_000, 1_000), storage="journal"),
            row(OPTUNA, "1 thread, sqlite", "reports", reports=size(1_000, 200), storage="sqlite"),
        ]),
        Measurement("process start to the first result", "s", "under 0.5", False, [
            row(OURS, "local", "first_result"), row(RAY, "", "first_result"), *optuna("first_result"),
        ]),
        Measurement("import, over the bare interpreter", "s", "under 0.030", False, [
            row(OURS, "import microtune", "import", module="microtune"),
            row(OURS, "import microtune.tuner", "import", module="microtune.tuner"),
            row(RAY, "from ray import tune", "import", module="ray.tune"),
            row(OPTUNA, "import optuna", "import", module="optuna"),
        ]),
        Measurement("200 trials of 10 ms, 2 at a time", "% of ideal", "over 95", True, [
            row(OURS, "local", "ten_milliseconds", trials=200),
            row(RAY, "2 actors, reused", "ten_milliseconds", trials=200),
            *optuna("ten_milliseconds", "2 threads, {}", trials=200),
        ]),
        Measurement("driver memory per trial", "B", "under 3,000", False, [
            row(OURS, "local", "memory_per_trial", warm=few, trials=size(10_000, 2_000)),
            row(RAY, "reused", "memory_per_trial", warm=200, trials=size(800, 200)),
            row(OPTUNA, "memory", "memory_per_trial", warm=few, trials=size(10_000, 2_000), storage="memory"),
        ]),
        Measurement("driver memory per result", "B", "none", False, [
            row(OURS, "local", "memory_per_result", warm=20_000, reports=size(50_000, 20_000)),
            row(RAY, "1 actor", "memory_per_result", warm=few, reports=size(5_000, 1_000)),
            row(OPTUNA, "memory", "memory_per_result", warm=few, reports=size(10_000, 2_000), storage="memory"),
        ]),
        Measurement(f"driver memory after {few:,} trials", "MB", "", False, [
            row(OURS, "local", "memory_of_driver", trials=few),
            row(RAY, "reused", "memory_of_driver", trials=few),
            row(OPTUNA, "memory", "memory_of_driver", trials=few, storage="memory"),
        ]),
        Measurement("stop decision to the next trial's start", "ms", "", False, [
            row(OURS, "local, 1 worker", "stop_to_start", trials=size(200, 50)),
            row(RAY, "1 actor, reused", "stop_to_start", trials=size(50, 20)),
            row(RAY, "1 actor, not reused", "stop_to_start", trials=size(10, 5), reuse=False),
            *optuna("stop_to_start", trials=50),
        ]),
    ]  # fmt: skip


# --- measuring -------------------------------------------------------------------------------------------------------

IN_UNIT = {"% of ideal": 100, "MB": 1e-6, "ms": 1e3}


def measure(row: Row, unit: str) -> float:
    if row.function == "import":
        pairs = [(seconds_of(f"import {row.arguments['module']}"), seconds_of("pass")) for _ in range(9)]
        return min(loaded for loaded, _ in pairs) - min(bare for _, bare in pairs)
    if row.function == "first_result":
        tries = 1 if row.tuner == RAY else 5
        return statistics.median(first_result(row) for _ in range(tries))
    return ask(row) * IN_UNIT.get(unit, 1)


# Bytecode is kept, as on anybody's machine: what pip installed has some, and an editable checkout must be able to write its.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def seconds_of(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return time.perf_counter() - begin


def first_result(row: Row) -> float:
    begin = time.time()
    return ask(row) - begin


def ask(row: Row) -> float:
    arguments = [f"{key}={json.dumps(value)}" for key, value in row.arguments.items()]
    command = [sys.executable, str(HERE / SCRIPT[row.tuner]), row.function, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=ENVIRONMENT)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(MARK):
            return float(json.loads(line.removeprefix(MARK)))
    raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-3000:]}")


def version_of(tuner: str) -> str | None:
    try:
        return importlib.metadata.version(DISTRIBUTION[tuner])
    except importlib.metadata.PackageNotFoundError:
        return None


# --- printing --------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def times_better(measurement: Measurement, ours: float | None, value: float) -> str:
    if ours is None or value <= 0 or ours <= 0:
        return ""
    return f"{number(ours / value if measurement.more_is_better else value / ours)} x"


def run(measurement: Measurement, peers: list[str]) -> Iterator[dict[str, Any]]:
    print(f"\n{measurement.title}" + (f"   (target: {measurement.target})" if measurement.target else ""), flush=True)
    ours: float | None = None
    for row in measurement.rows:
        if row.tuner != OURS and row.tuner not in peers:
            continue
        head = f"    {NAME[row.tuner]:<10} {row.label:<42}"
        if version_of(row.tuner) is None:
            print(f"{head} not installed", flush=True)
            continue
        value = measure(row, measurement.unit)
        better = times_better(measurement, ours, value) if row.tuner != OURS else ""
        ours = value if ours is None and row.tuner == OURS else ours
        print(f"{head} {number(value):>10} {measurement.unit:<10} {better:>10}", flush=True)
        told = {"tuner": row.tuner, "label": row.label, "value": value, "unit": measurement.unit}
        yield {"measurement": measurement.title, **told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and reports")
    parser.add_argument("--peers", default="ray,optuna", help="whom to measure beside microtune, separated by commas")
    parser.add_argument("--only", default="", help="only measurements with this in their title")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    peers = [peer for peer in arguments.peers.split(",") if peer]
    if unknown := set(peers) - {RAY, OPTUNA}:
        parser.error(f"--peers knows ray and optuna, not {', '.join(sorted(unknown))}")

    versions = ", ".join(f"{NAME[tuner]} {version_of(tuner) or 'not installed'}" for tuner in (OURS, *peers))
    print(f"{versions}; Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    chosen = [m for m in measurements(arguments.quick) if arguments.only in m.title]
    found = [one for measurement in chosen for one in run(measurement, peers)]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
