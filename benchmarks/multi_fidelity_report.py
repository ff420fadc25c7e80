"""The tables of multi_fidelity.py."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

from multi_fidelity_runs import BASELINE, curves
from search_quality import interval, sign_test, table, wilcoxon

TARGET = 0.5  # of random search's time
EARLY = (1, 3, 4, 9, 12, 27, 36)  # the rungs from epoch 1 and from epoch 4

Row = dict[str, Any]


class Race:
    """One method beside random search on the same task with the same seed. Times are shares of all the time."""

    def __init__(self, row: Row, baseline: Row) -> None:
        goal = baseline["path"][-1][1]
        arrived = next((at for at, best in row["path"] if best >= goal), None)
        self.censored = arrived is None
        self.time = 1.0 if arrived is None else arrived / row["budget"]
        self.ratio = self.time / (baseline["path"][-1][0] / row["budget"])


class Comparison:
    def __init__(self, rows: list[Row], tasks: list[str], methods: list[str]) -> None:
        self._tasks = tasks
        self._methods = methods
        self._rows: dict[tuple[str, str], list[Row]] = {(task, method): [] for task in tasks for method in methods}
        self._races: dict[tuple[str, str], list[Race]] = {key: [] for key in self._rows}
        baselines = {(row["task"], row["seed"]): row for row in rows if row["method"] == BASELINE}
        for row in rows:
            self._rows[row["task"], row["method"]].append(row)
            if (baseline := baselines.get((row["task"], row["seed"]))) is not None:
                self._races[row["task"], row["method"]].append(Race(row, baseline))

    def times(self) -> None:
        print(
            "Time to random search's final accuracy of the same seed, in shares of that time: median; how many never had it"
        )

        def cell(task: str, method: str) -> str:
            races = self._races[task, method]
            late = sum(race.censored for race in races)
            return median([race.time for race in races]) + (f" ({late} of {len(races)} never)" if late else "")

        self._table([[method, *(cell(task, method) for task in self._tasks)] for method in self._methods])

    def foretold(self, yahpo: Path) -> None:
        print("\nRank correlation (Spearman) of the accuracy after an epoch with the final one, of random configs")
        each = [curves(yahpo, task) for task in self._tasks]
        self._table([[f"epoch {epoch}", *(f"{of.foretells(epoch):.2f}" for of in each)] for epoch in EARLY])

    def regrets(self, best: dict[str, float]) -> None:
        """`best`: the best accuracy that is known of each task."""
        print("\nFinal regret in percentage points of accuracy, against the best that is known: median")

        def cell(task: str, method: str) -> str:
            return median([best[task] - row["path"][-1][1] for row in self._rows[task, method]])

        self._table([[method, *(cell(task, method) for task in self._tasks)] for method in self._methods])

    def paired(self) -> None:
        print(
            "\nPaired over seeds and tasks. Time as a multiple of that in which random search itself had its final accuracy,"
        )
        print(
            "well before its time is up; who never had it counts as if at the end. Geometric mean, 95 % interval, p by Wilcoxon"
        )
        lines, verdicts = [], []
        for method in self._methods:
            races = [race for task in self._tasks for race in self._races[task, method]]
            if method == BASELINE or not races:
                continue
            ratios = [math.log(race.ratio) for race in races]
            (low, high), p = interval(ratios), wilcoxon(ratios)
            mean, share = math.exp(statistics.fmean(ratios)), median([race.time for race in races])
            counts = [sum(r < 0 for r in ratios), sum(r == 0 for r in ratios), sum(r > 0 for r in ratios)]
            rows = [row for task in self._tasks for row in self._rows[task, method]]
            lines.append([
                method, f"{mean:.2f} ({low:.2f} to {high:.2f})", f"{sign_test(ratios) if p is None else p:.3f}",
                " / ".join(map(str, counts)), f"{sum(race.censored for race in races)} of {len(races)}", share,
                *(median([row[each] for row in rows]) for each in ("trials", "epochs", "seconds")),
            ])  # fmt: skip
            if method.startswith("ASHA"):
                verdict = "met" if mean <= TARGET else "NOT MET"
                verdicts.append(f"{method} {mean:.2f}, {verdict} (of all the time that there is {share})")
        columns = ["time / random's", "p", "sooner / equal / later", "never", "share of all time", "trials", "epochs"]
        table(["", *columns, "real seconds"], lines)
        print(f"\nTarget: ASHA needs at most half of random search's time. {'; '.join(verdicts) or 'it was not run'}")

    def _table(self, lines: list[list[str]]) -> None:
        table(["", *(f"task {task}" for task in self._tasks)], lines)


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.3g}" if values else "-"
