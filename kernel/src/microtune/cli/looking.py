"""The commands that look at runs: ls, show, best."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from microtune.cli.text import moment, plain, print_facts, print_json, print_table, print_text, spell, states
from microtune.faults import MicrotuneError, RunError
from microtune.results import ResultGrid
from microtune.storage import find_trial, open_run, runs_in, storage_path
from microtune.summary import Summary, summarise, trial_as_json
from microtune.trial import lookup
from microtune.trial_result import TrialResult


def ls(arguments: argparse.Namespace) -> int:
    """List the runs in a storage folder, with their status, trials and best value.

    examples:
      microtune ls
      microtune ls ./runs --json
    """
    storage = storage_path(arguments.storage)
    if arguments.storage and not os.path.isdir(storage):
        raise RunError(f"there is no folder {storage!r}")
    found, broken = [], []
    for path in runs_in(storage):
        try:
            found.append(summarise(ResultGrid(path)))
        except MicrotuneError as error:  # one damaged journal does not hide the others
            broken.append(error)
    found.sort(key=lambda run: run.began or 0)
    if arguments.json:
        print_json([one.as_json() for one in found])
    elif found:
        print_table(("name", "status", "began", "trials", "metric", "best"), map(_run_row, found))
    else:
        print(f"no runs in {plain(storage)}")
    for problem in broken:
        print(f"microtune: warning: {plain(str(problem))}", file=sys.stderr)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show a run and its trials, or one trial with all its results.

    RUN is the path of its folder, or its name in the default storage; TRIAL is an id or a number.

    examples:
      microtune show my-run
      microtune show my-run 7
    """
    run = summarise(open_run(arguments.run))
    if arguments.trial is not None:
        trial = find_trial(run.grid, arguments.trial)
        if arguments.json:
            print_json({**trial_as_json(trial), "history": trial.history})
        else:
            _show_trial(trial)
        return 0
    if arguments.json:
        print_json({**run.as_json(), "settings": run.grid.settings, "all": [trial_as_json(trial) for trial in run.grid]})
        return 0
    metrics = list(run.grid.objective.metrics)
    print_facts(
        {
            "run": run.name, "path": run.grid.path, "status": run.status, "reason": run.reason, "began": moment(run.began),
            "objective": ", ".join(" ".join(pair) for pair in zip(run.grid.objective.modes, metrics, strict=True)),
            "plugins": ", ".join(f"{one['role']} {one['name']}" for one in run.grid.settings.get("plugins", ())),
            "trials": states(run.counts) or "none",
            "best": run.best and f"{run.best.id}: {spell(run.best.metrics)}",
        }
    )  # fmt: skip
    if len(run.grid):
        print()
        print_table(("trial", "state", "iter", *metrics, "config", "reason"), [_trial_row(t, metrics) for t in run.grid])
    return 0


def best(arguments: argparse.Namespace) -> int:
    """Show the best trial of a run: its config, metrics and checkpoint. With several metrics, those that none dominates.

    examples:
      microtune best my-run
      microtune best my-run --metric loss --mode min --scope all
    """
    grid = open_run(arguments.run)
    if arguments.metric is None and len(grid.objective.metrics) > 1:
        front = grid.pareto_front()
        if arguments.json:
            print_json([trial_as_json(trial) for trial in front])
        else:
            metrics = list(grid.objective.metrics)
            print_table(("trial", "state", "iter", *metrics, "config", "reason"), [_trial_row(t, metrics) for t in front])
        return 0 if front else 1
    trial = grid.get_best_result(arguments.metric, arguments.mode, arguments.scope)
    if arguments.json:
        print_json(trial_as_json(trial))
    else:
        print_best(trial)
    return 0


COMMANDS = {"ls": ls, "show": show, "best": best}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    if command == "ls":
        parser.add_argument("storage", nargs="?", help="default: $MICROTUNE_STORAGE or ~/microtune_runs")
        return
    parser.add_argument("run", help="the folder of the run, or its name in the default storage")
    if command == "show":
        parser.add_argument("trial", nargs="?", help="the id or number of a trial")
    elif command == "best":
        parser.add_argument("--metric", help="default: the run's own")
        parser.add_argument("--mode", choices=("min", "max"))
        parser.add_argument(
            "--scope", default="last", help="what of a trial counts: last (default), all, avg, last-5-avg, last-10-avg"
        )


# --- pieces ----------------------------------------------------------------------------------------------------------


def print_best(trial: TrialResult) -> None:
    print_facts({"trial": trial.id, "state": trial.state, "reason": _reason(trial), "checkpoint": trial.checkpoint})
    for title, values in (("metrics", trial.metrics), ("config", trial.config)):
        if values:
            print(f"\n{title}")
        print_facts({f"  {key}": json.dumps(value, ensure_ascii=False) for key, value in values.items()})


def _show_trial(trial: TrialResult) -> None:
    print_best(trial)
    history = trial.history
    if history:
        names = list(dict.fromkeys(name for row in history for name in row))
        names.sort(key=("training_iteration", "time_total_s").__contains__, reverse=True)
        print("\nresults")
        print_table(names, [[row.get(name) for name in names] for row in history])
    if trial.error:
        print()
        print_text(trial.error.rstrip())


def _trial_row(trial: TrialResult, metrics: list[str]) -> list[Any]:
    values = [lookup(trial.metrics, name) for name in metrics]
    return [trial.id, trial.state.lower(), trial.metrics.get("training_iteration"), *values, trial.config, _reason(trial)]


def _reason(trial: TrialResult) -> str | None:
    """Why, where the state does not say it."""
    return None if trial.reason == trial.state.lower() else trial.reason


def _run_row(run: Summary) -> list[Any]:
    best = run.best and lookup(run.best.metrics, run.grid.objective.metrics[0])
    metric = run.grid.settings.get("metric")
    return [run.name, run.status, moment(run.began), states(run.counts) or "none", spell(metric), best]
