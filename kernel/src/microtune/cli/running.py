"""The commands that run trials: run, resume."""

from __future__ import annotations

import argparse
from typing import Any

from microtune.cli.arguments import add_tuner_arguments, given, set_options
from microtune.cli.recipe import read_recipe
from microtune.cli.text import print_facts, print_json, spell, states
from microtune.faults import OptionError, RunError
from microtune.options import check, parse_choice
from microtune.storage import open_run
from microtune.summary import summarise, trial_as_json
from microtune.trial import FAILED
from microtune.tuner import Tuner


def run(arguments: argparse.Namespace) -> int:
    """Start a run: a TOML file, or module:function with options, which also override a file's.

    examples:
      microtune run digits:train --space 'lr=loguniform(1e-5, 1e-1)' --space 'hidden=choice([64, 128])' \\
          --metric accuracy --mode max --num-samples 20 --scheduler asha:max_t=10 --logger console --logger csv
      microtune run compose.toml --num-samples 100 --option scheduler.max_t=20

    The file has the tables [tuner] (the arguments of Tuner by name), [space], [searcher], [scheduler], [executor],
    [[logger]] and [[modifier]]; a plugin's table holds its name and its options.
    """
    if arguments.target.endswith(".toml"):
        settings = read_recipe(arguments.target)
    else:
        settings = {"trainable": arguments.target}
    settings.update(given(arguments))
    for name, how in _NEEDED.items():
        if name not in settings:
            raise OptionError(f"microtune run needs {how}")
    trainable = settings.pop("trainable")
    settings = {"loggers": ["console"], **check(Tuner, settings, "microtune run")}
    set_options(settings, arguments.option)
    _be_quiet(settings, arguments)
    tuner = Tuner(trainable, **settings)
    return _fit(tuner, settings, arguments)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run that was interrupted, or extend one: every option is a change, all else stays as it was.

    examples:
      microtune resume my-run
      microtune resume my-run --num-samples 100 --scheduler asha:max_t=20
      microtune resume my-run --retry-failed

    An option that may be given several times replaces all that there were: --logger csv leaves out the console.
    """
    grid = open_run(arguments.run)
    changes = given(arguments)
    settings = {**grid.settings, **changes}
    set_options(settings, arguments.option)
    _be_quiet(settings, arguments)
    changes.update((key, value) for key, value in settings.items() if value != grid.settings.get(key, value))
    tuner = Tuner.restore(grid.path, arguments.trainable, retry_failed=arguments.retry_failed, **changes)
    return _fit(tuner, settings, arguments)


COMMANDS = {"run": run, "resume": resume}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    if command == "run":
        parser.usage = "microtune run FILE.toml | MODULE:FUNCTION [options]"
        parser.add_argument("target", metavar="FILE.toml | MODULE:FUNCTION")
    else:
        parser.usage = "microtune resume RUN [options]"
        parser.add_argument("run", help="the folder of the run, or its name in the default storage")
    add_tuner_arguments(parser, new=command == "run")


_NEEDED = {
    "trainable": 'a trainable: trainable = "module:function" in [tuner]',
    "param_space": "a space: --space 'NAME=loguniform(1e-5, 1e-1)', or [space] in the file",
    "metric": "--metric NAME, or metric = in [tuner]",
    "mode": "--mode min or max, or mode = in [tuner]",
}


def _be_quiet(settings: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Without the console: it would write between what --json writes."""
    if arguments.quiet or arguments.json:
        settings["loggers"] = [one for one in settings["loggers"] if not _is_console(one)]


def _is_console(logger: Any) -> bool:
    return isinstance(logger, str) and parse_choice(logger)[0] == "console"


def _fit(tuner: Tuner, settings: dict[str, Any], arguments: argparse.Namespace) -> int:
    grid = tuner.fit()
    run = summarise(grid)
    if arguments.json:
        front = grid.pareto_front() if len(grid.objective.metrics) > 1 else None
        print_json({**run.as_json(), "pareto_front": front and [trial_as_json(trial) for trial in front]})
    elif not arguments.quiet and not any(map(_is_console, settings["loggers"])):  # the console says it already
        best = run.best and f"{run.best.id}: {spell(run.best.metrics)}; config: {spell(run.best.config)}"
        print_facts({"run": grid.path, "trials": states(run.counts), "best": best})
    if set(run.counts) == {FAILED}:
        first = grid[0]
        raise RunError(f"all {len(grid)} trials failed; the first: {first.reason} (`microtune show {grid.path} {first.id}`)")
    return 0
