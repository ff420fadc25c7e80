"""How much sooner? Schedulers on LCBench, in virtual time: when does each have what random search has in the end?

    python benchmarks/multi_fidelity.py --json fidelity.json     25 workers, 10 seeds; what is in the file is not run again
    python benchmarks/multi_fidelity.py --only ASHA,BOHB --tasks 3945
    python benchmarks/multi_fidelity.py --minutes 20             start nothing after that, and print what there is

Every method has the same workers for the same virtual time: as much as so many full trainings of 52 epochs take
(--trainings). The seconds of an epoch are the surrogate's own. Random search trains each of its configs to the end; with the
same seed all that search at random draw the same configs in the same order. A method is at an accuracy once any of its trials
has reported it on the validation data, at whichever epoch. A population of one trial a worker is at its end long before the
others' time is up; one of as many trials as there are trainings in that time takes turns.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import platform
import sys
from pathlib import Path
from typing import Any

from multi_fidelity_report import Comparison
from multi_fidelity_runs import BASELINE, METHODS, Cell, curves, run
from quality_problems import TASKS, lcbench, why_no_lcbench
from search_quality import YAHPO

Row = dict[str, Any]


class Record:
    """What was run, in memory and, where there is a file, in it: an interrupted run goes on from there."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        there = json.loads(path.read_text()) if path is not None and path.exists() else {}
        self.rows: list[Row] = there.get("rows", [])
        self.samples: dict[str, float] = there.get("samples", {})

    def find(self, cell: Cell) -> Row | None:
        """Its row, of the versions that are installed."""
        versions = METHODS[cell.method].versions()
        return next((row for row in self.rows if Cell.of(row) == cell and row["versions"] == versions), None)

    def add(self, rows: list[Row]) -> None:
        self.rows += [row for row in rows if "error" not in row]  # which are tried again the next time
        self._save()

    def best_known(self, yahpo: Path, task: str) -> float:
        """Of all runs, and of a large random sample of full trainings."""
        if task not in self.samples:
            sample = lcbench(yahpo, task).sample
            assert sample is not None
            self.samples[task] = sample()
            self._save()
        return max([self.samples[task], *(row["path"][-1][1] for row in self.rows if row["task"] == task)])

    def _save(self) -> None:
        if self._path is not None:
            partial = self._path.with_name(f"{self._path.name}.partial")
            partial.write_text(json.dumps({"samples": self.samples, "rows": self.rows}) + "\n")
            partial.replace(self._path)


def run_all(cells: list[Cell], record: Record, arguments: argparse.Namespace) -> list[str]:
    """What failed."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    budgets = {
        task: curves(arguments.yahpo, task).full_training() * arguments.trainings / arguments.workers
        for task in dict.fromkeys(cell.task for cell in cells)
    }
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.task, cell.seed), []).append(cell)
    pool = concurrent.futures.ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("spawn"))
    running = [pool.submit(run, group, budgets[task], arguments.yahpo) for (task, _), group in groups.items()]
    failed = []
    try:
        seconds = None if arguments.minutes is None else arguments.minutes * 60
        for count, future in enumerate(concurrent.futures.as_completed(running, seconds), 1):
            rows = future.result()
            record.add(rows)
            print(f"{count}/{len(groups)} task {rows[0]['task']}, seed {rows[0]['seed']}", file=sys.stderr)
            failed += [
                f"{row['method']}, task {row['task']}, seed {row['seed']}: {row['error']}"
                for row in rows
                if "error" in row
            ]
    except (KeyboardInterrupt, concurrent.futures.TimeoutError):
        print("interrupted: what was running is given up", file=sys.stderr)
        for process in list(pool._processes.values()):  # the pool itself has no way to end them before Python 3.14
            process.kill()
    pool.shutdown(cancel_futures=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=25)
    parser.add_argument(
        "--trainings", type=int, default=200, help="how many full ones the virtual time is long enough for"
    )
    parser.add_argument("--seeds", type=int, default=10, help="0, 1, ... of each method on each task")
    parser.add_argument("--tasks", default=",".join(TASKS), help="of LCBench, with commas")
    parser.add_argument("--only", default="", metavar="METHOD", help="parts of their names, with commas")
    parser.add_argument("--yahpo", type=Path, default=YAHPO, help="YAHPO Gym's lcbench folder")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the results there, and go on from what is there"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="one for each core")
    parser.add_argument("--minutes", type=float, help="then stop, and print what there is")
    arguments = parser.parse_args()

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    if (why := why_no_lcbench(arguments.yahpo)) is not None:
        print(why)
        return
    methods = []
    for name, method in METHODS.items():
        missing = [each for each, version in method.versions().items() if version is None]
        if name != BASELINE and not any(part in name for part in arguments.only.split(",")):
            continue
        if missing:
            print(f"{name} is left out: pip install {' '.join(f'microtune-{each}' for each in missing)}")
        else:
            methods.append(name)
            print(f"{name}: searcher {method.searcher}, scheduler {method.scheduler}")
    if BASELINE not in methods:
        return
    tasks = arguments.tasks.split(",")
    cells = [
        Cell(task, method, seed, arguments.workers, arguments.trainings)
        for seed in range(arguments.seeds)
        for task in tasks
        for method in methods
    ]
    record = Record(arguments.json)
    failed = run_all([cell for cell in cells if record.find(cell) is None], record, arguments)
    best = {task: record.best_known(arguments.yahpo, task) for task in tasks}
    print(
        f"\n{arguments.workers} workers, {arguments.seeds} seeds, the virtual time of {arguments.trainings} full trainings."
    )
    comparison = Comparison([row for cell in cells if (row := record.find(cell)) is not None], tasks, methods)
    comparison.times()
    comparison.foretold(arguments.yahpo)
    comparison.regrets(best)
    comparison.paired()
    if failed:
        print("\n".join(["", "Failed:", *failed]))
    if lacking := sum(record.find(cell) is None for cell in cells):
        print(f"\n{lacking} of {len(cells)} runs are not in these numbers: they failed, or there was no time.")


if __name__ == "__main__":
    main()
