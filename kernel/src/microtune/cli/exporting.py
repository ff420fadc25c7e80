"""The command that turns a run into a table: export."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from importlib import import_module
from typing import Any

from microtune.cli.text import strict
from microtune.faults import OptionError, RunError
from microtune.results import ResultGrid
from microtune.storage import open_run


def export(arguments: argparse.Namespace) -> int:
    """Write the trials of a run as a table: one row a trial, or one row a result.

    Values go out as they are: a spreadsheet may take a text that begins with = + - or @ for a formula.

    examples:
      microtune export my-run --to csv > trials.csv
      microtune export my-run --to parquet --rows results -o results.parquet
    """
    grid = open_run(arguments.run)
    rows = [grid.row(trial) for trial in grid] if arguments.rows == "trials" else _result_rows(grid)
    to = "json" if arguments.json else arguments.to
    if to == "parquet":
        if arguments.output is None:
            raise OptionError("parquet is no text: say where it goes with -o FILE")
        _write_parquet(rows, arguments.output)
        return 0
    text = _as_csv(rows) if to == "csv" else json.dumps(strict(rows), indent=1, ensure_ascii=False) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(arguments.output, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"{arguments.output} cannot be written: {error.strerror}") from error
    return 0


COMMANDS = {"export": export}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="the folder of the run, or its name in the default storage")
    parser.add_argument("--to", choices=("csv", "json", "parquet"), default="csv", help="default: csv")
    parser.add_argument("--rows", choices=("trials", "results"), default="trials", help="default: trials")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: the standard output")


def _result_rows(grid: ResultGrid) -> list[dict[str, Any]]:
    histories = grid.histories()
    steps = (trial.at(metrics) for trial in grid for metrics in histories.get(trial.id, ()))
    return [{key: value for key, value in grid.row(step).items() if key not in ("state", "reason")} for step in steps]


def _as_csv(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _as_cell(value) for key, value in row.items()})
    return out.getvalue()


def _as_cell(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\\0")  # Python 3.10 refuses to write it, and no reader of CSV likes it
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else value


def _write_parquet(rows: list[dict[str, Any]], path: str) -> None:
    try:
        import_module("pandas").DataFrame(rows).to_parquet(path)
    except ImportError as error:
        raise RunError("parquet needs pandas and pyarrow: pip install pandas pyarrow") from error
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}") from error
