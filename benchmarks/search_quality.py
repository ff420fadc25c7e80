"""How good are the searchers? Simple regret of each plugin beside its library called directly: same space, budget, seeds.

    python benchmarks/search_quality.py --json quality.json    100 trials, 10 seeds; what is in the file is not run again
    python benchmarks/search_quality.py --slow-seeds 2         fewer seeds of the searchers that need a second a trial
    python benchmarks/search_quality.py --only lcbench/optuna,branin/     problem/searcher, by parts of their names
    python benchmarks/search_quality.py --minutes 20           start nothing after that, and print what there is

It runs what is installed and says what is not. What is compared stands in quality_problems.py and quality_searchers.py.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import math
import multiprocessing
import os
import platform
import random
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quality_problems import Problem, problems, why_no_lcbench
from quality_searchers import BASELINE, SEARCHERS, Cell, run, version_of

YAHPO = Path(__file__).resolve().parents[2] / "shared" / "data" / "yahpo" / "lcbench"
FLOOR = 1e-3  # of random search's median regret: what is below counts as this much, for nobody needs it
SIGNIFICANT = 0.05


# --- running ---------------------------------------------------------------------------------------------------------


class Record:
    """What was run, in memory and, where there is a file, in it: an interrupted run goes on from there."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        there = json.loads(path.read_text()) if path is not None and path.exists() else {}
        self.rows: list[dict[str, Any]] = there.get("rows", [])
        self.samples: dict[str, float] = there.get("samples", {})

    def lacks(self, cell: Cell) -> bool:
        """Or it has it of other versions."""
        return not any(Cell.of(row) == cell and row["versions"] == cell.versions for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        if "error" not in row:  # else it is tried again the next time
            self.rows.append(row)
            self.save()

    def save(self) -> None:
        if self._path is not None:
            partial = self._path.with_name(f"{self._path.name}.partial")
            partial.write_text(json.dumps({"samples": self.samples, "rows": self.rows}, indent=1) + "\n")
            partial.replace(self._path)

    def optimum(self, problem: Problem) -> float:
        """Where nobody knows it: the best of a large random sample and of all runs."""
        if problem.optimum is not None:
            return problem.optimum
        if problem.name not in self.samples:
            assert problem.sample is not None
            self.samples[problem.name] = problem.sample()
            self.save()
        return max([self.samples[problem.name], *(row["best"] for row in self.rows if row["problem"] == problem.name)])


def run_all(cells: list[Cell], record: Record, arguments: argparse.Namespace) -> list[str]:
    """What failed."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    pool = concurrent.futures.ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("spawn"))
    running = [pool.submit(run, cell, arguments.yahpo) for cell in cells]
    failed = []
    try:
        seconds = None if arguments.minutes is None else arguments.minutes * 60
        for count, future in enumerate(concurrent.futures.as_completed(running, seconds), 1):
            row = future.result()
            record.add(row)
            cell = Cell.of(row)
            what = (
                f"{cell.searcher}, {cell.side}, {cell.problem}, seed {cell.seed}: {row.get('best', row.get('error'))}"
            )
            print(f"{count}/{len(cells)} {what}", file=sys.stderr)
            if "error" in row:
                failed.append(what)
    except (KeyboardInterrupt, concurrent.futures.TimeoutError):
        print("interrupted: what was running is given up", file=sys.stderr)
        for process in list(pool._processes.values()):  # the pool itself has no way to end them before Python 3.14
            process.kill()
    pool.shutdown(cancel_futures=True)
    return failed


# --- printing --------------------------------------------------------------------------------------------------------


class Regrets:
    """By problem, searcher, side and seed."""

    def __init__(self, record: Record, listed: list[Problem], cells: list[Cell]) -> None:
        wanted = set(cells)
        self._found: dict[tuple[str, str, str], dict[int, float]] = {}
        self.seconds: dict[tuple[str, str], list[float]] = {}
        optima = {problem.name: record.optimum(problem) for problem in listed}
        for row in record.rows:
            cell = Cell.of(row)
            if cell in wanted and row["versions"] == cell.versions:
                regrets = self._found.setdefault((cell.problem, cell.searcher, cell.side), {})
                regrets[cell.seed] = abs(row["best"] - optima[cell.problem])
                self.seconds.setdefault((cell.searcher, cell.side), []).append(row["seconds"])

    def median(self, problem: str, searcher: str, side: str) -> float | None:
        found = self._found.get((problem, searcher, side))
        return statistics.median(found.values()) if found else None

    def count(self, problem: str, searcher: str) -> int:
        sides = [found for key, found in self._found.items() if key[:2] == (problem, searcher)]
        return min(map(len, sides), default=0)

    def ratios(self, problem: str, searcher: str) -> Iterator[float]:
        """log(plugin / library) of each seed that both have; 0 where neither is worth telling from none."""
        floor = (self.median(problem, BASELINE, "plugin") or 0) * FLOOR or 1e-12
        library = self._found.get((problem, searcher, "library"), {})
        for seed, regret in self._found.get((problem, searcher, "plugin"), {}).items():
            if seed in library:
                yield math.log(max(regret, floor) / max(library[seed], floor))


def sign_test(ratios: list[float]) -> float:
    """Two-sided and exact; ties are left out."""
    better, worse = sum(r < 0 for r in ratios), sum(r > 0 for r in ratios)
    n = better + worse
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    return min(1.0, 2 * tail)


def wilcoxon(ratios: list[float]) -> float | None:
    """Two-sided, of the signed ranks; None where there is no scipy."""
    try:
        from scipy.stats import wilcoxon as test
    except ImportError:
        return None
    return float(test(ratios).pvalue) if any(ratios) else 1.0


def interval(ratios: list[float]) -> tuple[float, float]:
    """95 % of the geometric mean, by bootstrap."""
    rng = random.Random(0)
    means = sorted(statistics.fmean(rng.choices(ratios, k=len(ratios))) for _ in range(2_000))
    return math.exp(means[50]), math.exp(means[-51])


def table(head: list[str], rows: list[list[str]]) -> None:
    print()
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")


def report(regrets: Regrets, listed: list[Problem], searchers: list[str], arguments: argparse.Namespace) -> None:
    def cell(problem: str, searcher: str) -> str:
        sides = [regrets.median(problem, searcher, side) for side in ("plugin", "library")]
        numbers = " / ".join(
            "-" if value is None else f"{value:.3g}" for value in sides[: 1 if SEARCHERS[searcher].library is None else 2]
        )
        count = regrets.count(problem, searcher)
        return numbers if count in (0, arguments.seeds) else f"{numbers} (seeds: {count})"

    budget = f"{arguments.trials} trials, {arguments.seeds} seeds"
    print(f"\nMedian simple regret after {budget}: the plugin / its library called directly")
    table(["", *searchers], [[each.name, *(cell(each.name, searcher) for searcher in searchers)] for each in listed])
    compared = {s: [r for p in listed for r in regrets.ratios(p.name, s)] for s in searchers if s != BASELINE}
    compared = {searcher: ratios for searcher, ratios in compared.items() if ratios}
    worse = []
    rows = []
    for searcher, ratios in compared.items():
        mean, (low, high), p = math.exp(statistics.fmean(ratios)), interval(ratios), wilcoxon(ratios)
        if (sign_test(ratios) if p is None else p) < SIGNIFICANT and mean > 1:
            worse.append(searcher)
        counts = [sum(r < 0 for r in ratios), sum(r == 0 for r in ratios), sum(r > 0 for r in ratios)]
        seconds = [statistics.median(regrets.seconds[searcher, side]) for side in ("plugin", "library")]
        rows.append([
            searcher, " / ".join(map(str, counts)), f"{mean:.2f} ({low:.2f} to {high:.2f})",
            "no scipy" if p is None else f"{p:.3f}", f"{sign_test(ratios):.3f}", " / ".join(f"{s:.3g}" for s in seconds),
        ])  # fmt: skip
    if rows:
        print(
            "\nPaired over seeds and problems: how often the plugin is better / equal / worse; its regret as a multiple of"
        )
        print("the library's (geometric mean, 95 % interval), and how likely such a difference is where there is none")
        table(["plugin", "better / equal / worse", "regret", "p (Wilcoxon)", "p (signs)", "seconds of a run"], rows)
    alone = [
        f"{searcher} on {each.name}: {'worse' if statistics.median(ratios) > 0 else 'better'}, p = {sign_test(ratios):.3f}"
        for searcher in compared
        for each in listed
        if (ratios := list(regrets.ratios(each.name, searcher))) and sign_test(ratios) < SIGNIFICANT
    ]
    if compared:
        looks = f"of {len(compared) * len(listed)} (p < {SIGNIFICANT}, signs; chance alone makes some)"
        print(f"\nSingle problems with a difference, {looks}: {'; '.join(alone) or 'none'}")
    verdict = f"NOT MET: worse are {', '.join(worse)}" if worse else "met" if compared else "nothing was compared"
    print(f"\nTarget: no plugin is worse than its library (p < {SIGNIFICANT}, over all problems). {verdict}")
    against_random(regrets, listed, searchers)


def against_random(regrets: Regrets, listed: list[Problem], searchers: list[str]) -> None:
    shares: dict[str, tuple[float, str]] = {}
    for each in listed:
        baseline = regrets.median(each.name, BASELINE, "plugin")
        medians = {s: regrets.median(each.name, s, "plugin") for s in searchers if s != BASELINE}
        if baseline and (known := {s: median for s, median in medians.items() if median is not None}):
            best = min(known, key=lambda searcher: known[searcher])
            shares[each.name] = known[best] / baseline, best
    listing = ", ".join(f"{problem} {share:.2g} ({best})" for problem, (share, best) in shares.items())
    good = sum(share <= 0.5 for share, _ in shares.values())
    verdict = "nothing was compared" if not shares else "met" if good == len(shares) else "NOT MET"
    print(
        f"Target: the best is at most half of random search's regret. {verdict}, on {good} of {len(shares)}: {listing}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=10, help="0, 1, ... of each searcher on each problem")
    parser.add_argument("--slow-seeds", type=int, help="of the slow searchers; as many as --seeds")
    parser.add_argument(
        "--only", default="/", metavar="PROBLEM/SEARCHER", help="parts of their names; several with commas"
    )
    parser.add_argument("--yahpo", type=Path, default=YAHPO, help="YAHPO Gym's lcbench folder")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the results there, and go on from what is there"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="one for each core")
    parser.add_argument("--minutes", type=float, help="then stop, and print what there is")
    arguments = parser.parse_args()
    slow_seeds = arguments.seeds if arguments.slow_seeds is None else arguments.slow_seeds

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    if (why := why_no_lcbench(arguments.yahpo)) is not None:
        print(why)
    there = []
    for name, searcher in SEARCHERS.items():
        if missing := searcher.missing():
            print(f"{name} is left out: pip install {' '.join(missing)}")
        else:
            there.append(name)
            print(f"{name}: {', '.join(f'{each} {version_of(each)}' for each in searcher.needs)}")
    if not there:
        return
    chosen = [each.split("/") for each in arguments.only.split(",")]
    if any(len(each) != 2 for each in chosen):
        parser.error("--only is PROBLEM/SEARCHER, such as lcbench/optuna, branin/ or /hyperopt")
    listed = problems(arguments.yahpo)
    cells = [
        Cell(problem, name, side, seed, arguments.trials)
        for slow in (False, True)
        for seed in range(slow_seeds if slow else arguments.seeds)
        for problem in listed
        for name in there
        if SEARCHERS[name].slow == slow
        if any(p in problem and (s in name or name == BASELINE) for p, s in chosen)
        for side in (("plugin", "library") if SEARCHERS[name].library else ("plugin",))
    ]
    record = Record(arguments.json)
    failed = run_all([cell for cell in cells if record.lacks(cell)], record, arguments)
    shown = [problem for problem in listed.values() if any(cell.problem == problem.name for cell in cells)]
    regrets = Regrets(record, shown, cells)
    report(regrets, shown, [name for name in there if any(cell.searcher == name for cell in cells)], arguments)
    if failed:
        print("\n".join(["", "Failed:", *failed]))
    if lacking := sum(map(record.lacks, cells)):
        print(f"\n{lacking} of {len(cells)} runs are not in these numbers: they failed, or there was no time.")


if __name__ == "__main__":
    main()
