"""How fast the simulator is: trials in virtual time on workers that do not exist, with the kernel and ASHA deciding for real.

    python benchmarks/simulated.py                      10,000 trials on 1,000 workers, up to 81 iterations (half a minute)
    python benchmarks/simulated.py --trials 100000      more of it
    python benchmarks/simulated.py --only stopping      the rows with this in their name
    python benchmarks/simulated.py --profile            where the time goes

The target is 10 s for the first row.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import resource
import sys
import tempfile
import time
from typing import Any, NamedTuple

import microtune as mt
from microtune_execute_simulated import Curve, SimulatedExecutor

MAX_T, FACTOR = 81, 3
CHANCES = {"startup": 5.0, "saving": 2.0, "restoring": 3.0, "stragglers": 0.5, "crashes": 1e-5, "preemptions": 1e-4}


def falling(config: dict[str, Any], step: int) -> dict[str, float]:
    """Falls towards the config's own level, faster for a larger rate."""
    return {"loss": config["level"] + (1 - config["level"]) / (1 + config["rate"] * step)}


def seconds(config: dict[str, Any], iteration: int, metrics: dict[str, Any]) -> float:
    """A step takes one to three minutes: no two trials keep time."""
    return 60.0 + 120.0 * config["rate"]


class Row(NamedTuple):
    name: str
    scheduler: str | None
    disk: bool = False  # where the journal is
    chances: bool = False


ROWS = [
    Row("ASHA stopping, journal on disk", "stopping", disk=True),
    Row("ASHA stopping, journal in memory", "stopping"),
    Row("ASHA promotion, journal in memory", "promotion"),
    Row("ASHA promotion, all costs and faults", "promotion", chances=True),
]


def run(row: Row, trials: int, workers: int) -> tuple[float, float, float, int]:
    """(seconds, of these on the processor, virtual seconds of the longest trial, results)"""
    with tempfile.TemporaryDirectory() as folder:
        tuner = mt.Tuner(
            Curve(falling, steps=MAX_T), param_space={"level": mt.uniform(0, 1), "rate": mt.uniform(0, 1)}, metric="loss",
            mode="min", num_samples=trials, scheduler=f"asha:max_t={MAX_T},reduction_factor={FACTOR},type={row.scheduler}",
            executor=SimulatedExecutor(workers=workers, seconds=seconds, **(CHANCES if row.chances else {})), loggers=[],
            seed=1, storage_path=folder if row.disk else ":memory:", max_failures=-1,
        )  # fmt: skip
        begin, processor = time.perf_counter(), time.process_time()
        tuner.fit()
        spent, processor = time.perf_counter() - begin, time.process_time() - processor
        results = tuner.results()
        counts = [len(history) for history in results.histories().values()]
        virtual = max(trial.metrics.get("time_total_s", 0.0) for trial in results)
    return spent, processor, virtual, sum(counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    print(f"{args.trials:,} trials on {args.workers:,} simulated workers, max_t={MAX_T}, reduction_factor={FACTOR}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"    {'':<38}{'seconds':>9}{'of CPU':>8}{'results':>10}{'results/s':>11}{'longest trial':>16}")
    for row in ROWS:
        if args.only not in row.name:
            continue
        profile = cProfile.Profile() if args.profile else None
        if profile is not None:
            profile.enable()
        spent, processor, virtual, results = run(row, args.trials, args.workers)
        if profile is not None:
            profile.disable()
        print(
            f"    {row.name:<38}{spent:>9.2f}{processor:>8.2f}{results:>10,}{results / spent:>11,.0f}{virtual / 3600:>13.1f} h",
            flush=True,
        )
        if profile is not None:
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(25)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
