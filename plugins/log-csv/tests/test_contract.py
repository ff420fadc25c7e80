from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from microtune.testing import LoggerContract


class TestContract(LoggerContract):
    plugin = "csv"

    def results(self, path: Path) -> list[tuple[str, int, Any]]:
        results: dict[str, tuple[str, int, Any]] = {}  # by seq: a result has a row for each of its metrics
        with open(path / "results.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found = (
                    row["trial"],
                    int(row["training_iteration"]),
                    row["value"] if row["metric"] == "loss" else None,
                )
                if row["metric"] == "loss" or row["seq"] not in results:
                    results[row["seq"]] = found
        return list(results.values())
