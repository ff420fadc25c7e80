"""The command that makes a run of what another tool has left: import."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from microtune import catalog
from microtune.cli.text import print_facts, print_json, spell
from microtune.faults import OptionError
from microtune.options import check, parse_choice
from microtune.results import ResultGrid
from microtune.storage import storage_path
from microtune.summary import summarise


def import_(arguments: argparse.Namespace) -> int:
    """Make a run of what another tool has left, to look at, to export and to learn from (--warm-start).

    Nothing of SOURCE is changed, and no code of it is run. `microtune plugins FORMAT` shows the options of a format.

    examples:
      microtune import sqlite:///study.db --from optuna
      microtune import sqlite:///studies.db --from optuna:study=digits --name digits
      microtune import ~/ray_results/train_2026-01-31 --from ray-tune:metric=accuracy,mode=max
    """
    name, options = parse_choice(arguments.format)
    form = catalog.load_plugin("format", name)
    if not hasattr(form, "read"):
        raise OptionError(f"the format {name!r} is one to export to: it cannot be imported")
    options = check(form.read, options, f"--from {name}")
    run = arguments.name or _name_of(arguments.source)
    if os.path.basename(run) != run or run in (".", ".."):
        raise OptionError(f"--name {run}: it is the name of one folder: put the rest of the path into --storage-path")
    path = os.path.join(storage_path(arguments.storage_path), run)
    form.read(arguments.source, path, **options)
    found = summarise(ResultGrid(path))
    if arguments.json:
        print_json(found.as_json())
    else:
        best = found.best and f"{found.best.id}: {spell(found.best.metrics)}; config: {spell(found.best.config)}"
        trials = ", ".join(f"{count} {state.lower()}" for state, count in found.counts.items())
        print_facts({"run": path, "trials": trials or "none", "best": best})
    return 0


COMMANDS = {"import": import_}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a folder, a file or an address, as the format has it")
    parser.add_argument(
        "--from", dest="format", metavar="FORMAT", required=True, help="such as optuna, ray-tune: NAME or NAME:option=value,..."
    )  # fmt: skip
    parser.add_argument("--name", help="of the run and its folder (default: after SOURCE)")
    parser.add_argument("--storage-path", metavar="FOLDER", help="default: $MICROTUNE_STORAGE or ~/microtune_runs")


def _name_of(source: str) -> str:
    """The last part of a path or an address, without its ending."""
    name = re.sub(r"[^\w.-]+", "-", Path(source.rstrip("/")).stem).strip("-.")
    if not name:
        raise OptionError(f"{source!r} says no name for the run: give one with --name")
    return name
