"""The command that turns a run into a table, or into what another tool reads: export."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from importlib import import_module
from typing import Any

from microtune import catalog
from microtune.cli.text import strict
from microtune.faults import OptionError, PluginNotFound, RunError
from microtune.options import check, parse_choice
from microtune.results import ResultGrid
from microtune.storage import open_run


def export(arguments: argparse.Namespace) -> int:
    """Write the trials of a run as a table, one row a trial or one row a result, or as what another tool reads.

    Values go out as they are: a spreadsheet may take a text that begins with = + - or @ for a formula. Formats beside csv,
    json and parquet are plugins: `microtune plugins FORMAT` shows their options.

    examples:
      microtune export my-run --to csv > trials.csv
      microtune export my-run --to parquet --rows results -o results.parquet
      microtune export my-run --to optuna sqlite:///studies.db
    """
    to = "json" if arguments.json else arguments.to[0]
    run, arguments.output = _places([*arguments.places, *arguments.to[1:]], arguments.output)
    grid = open_run(run)
    if to not in _TABLES:
        _write_format(grid, to, arguments)
        return 0
    rows = _result_rows(grid) if arguments.rows == "results" else [grid.row(trial) for trial in grid]
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
    parser.usage = "microtune export RUN [--to FORMAT] [TARGET] [options]"
    parser.add_argument("places", metavar="RUN", nargs="*", help="the folder of the run, or its name in the default storage")
    parser.add_argument(
        "--to", metavar=("FORMAT", "TARGET"), nargs="+", default=["csv"],  # argparse itself leaves no place for TARGET here
        help="csv (default), json, parquet, or a plugin: NAME or NAME:option=value,...; TARGET is where it goes (default: the "
        "standard output)",
    )  # fmt: skip
    parser.add_argument("--rows", choices=("trials", "results"), help="of a table (default: trials)")
    parser.add_argument("-o", "--output", metavar="FILE", help="the same as TARGET")


_TABLES = ("csv", "json", "parquet")


def _places(words: list[str], output: str | None) -> tuple[str, str | None]:
    """The run, and where it goes."""
    if not words or len(words) > 2:
        raise OptionError("microtune export takes a run and at most one target: microtune export RUN --to csv FILE")
    if len(words) == 2 and output is not None:
        raise OptionError(f"say once where it goes: {words[1]} or -o {output}")
    return words[0], words[1] if len(words) == 2 else output


def _write_format(grid: ResultGrid, choice: str, arguments: argparse.Namespace) -> None:
    name, options = parse_choice(choice)
    try:
        form = catalog.load_plugin("format", name)
    except PluginNotFound as error:
        raise PluginNotFound(f"{error}. Without a plugin there are {', '.join(_TABLES)}") from error
    if not hasattr(form, "write"):
        raise OptionError(f"the format {name!r} is one to import from: it cannot be written")
    if arguments.rows is not None:
        raise OptionError(f"--rows belongs to a table ({', '.join(_TABLES)}), and {name} is none: leave it out")
    form.write(grid, arguments.output, **check(form.write, options, f"--to {name}"))


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
