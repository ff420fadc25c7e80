"""The arguments of Tuner on the command line: an option each, and plugin options as `--option scheduler.max_t=10`."""

from __future__ import annotations

import argparse
import re
from typing import Any

from microtune.cli.recipe import SEVERAL, SINGLE
from microtune.cli.spaces import parse_space
from microtune.faults import OptionError
from microtune.options import format_choice, parse_assignment, parse_choice, parse_options, parse_value
from microtune.storage import find_run

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def add_tuner_arguments(parser: argparse.ArgumentParser, *, new: bool) -> None:
    """Every argument of Tuner; those that belong to a run for good only where the run is `new`."""
    what = parser.add_argument_group("what to tune")
    what.add_argument(
        "--space", action="append", metavar="NAME=DOMAIN",
        help="a parameter: 'lr=loguniform(1e-5, 1e-1)', epochs=10, a/b=... (repeatable); or module:attribute",
    )  # fmt: skip
    what.add_argument("--metric", action="append", help="what is optimised (repeat it for several objectives)")
    what.add_argument("--mode", action="append", choices=("min", "max"), help="one for each metric")
    what.add_argument("--num-samples", type=_count, metavar="N", help="number of trials, or none for no limit (default: 1)")
    what.add_argument("--points-to-evaluate", action="append", type=_json, metavar="JSON", help="a config to try first")
    what.add_argument("--warm-start", action="append", metavar="RUN", help="an earlier run to learn from (repeatable), or none")
    if not new:
        what.add_argument("--trainable", metavar="MODULE:FUNCTION", help="where the run's own is now")
        what.add_argument("--retry-failed", action="store_true", help="a new trial for each failed one, from its checkpoint")

    how = parser.add_argument_group("plugins (NAME, NAME:option=value,... or package.module.Class)")
    how.add_argument("--searcher", metavar="PLUGIN", help="proposes configs (default: grid or random)")
    how.add_argument("--scheduler", metavar="PLUGIN", help="stops, pauses and resumes trials (default: none)")
    how.add_argument("--executor", metavar="PLUGIN", help="runs trials (default: local)")
    how.add_argument("--logger", action="append", dest="loggers", metavar="PLUGIN", help="or none (default: console)")
    how.add_argument("--modifier", action="append", dest="modifiers", metavar="PLUGIN", help="before the searcher, or none")
    how.add_argument(
        "-o", "--option", action="append", default=[], metavar="ROLE.OPTION=VALUE",
        help="one option of a chosen plugin: scheduler.max_t=10, logger.csv.OPTION=VALUE (repeatable)",
    )  # fmt: skip

    limits = parser.add_argument_group("limits (SECONDS, such as 90s, 10m, 2h, or none)")
    limits.add_argument("--stop", action="append", type=_stop, metavar="RULE", help="end a trial: 'loss < 0.1' (repeatable)")
    limits.add_argument("--time-budget", type=_seconds, dest="time_budget_s", metavar="SECONDS", help="for the whole run")
    limits.add_argument("--trial-timeout", type=_seconds, dest="trial_timeout_s", metavar="SECONDS", help="for one attempt")
    limits.add_argument("--report-timeout", type=_seconds, dest="report_timeout_s", metavar="SECONDS", help="between reports")
    limits.add_argument("--grace", type=_seconds, dest="grace_s", metavar="SECONDS", help="for a trial to leave (default: 10)")
    limits.add_argument("--max-concurrent", type=_count, dest="max_concurrent_trials", metavar="N", help="trials at once")
    limits.add_argument("--resources", type=_options, metavar="cpu=1,gpu=0.5", help="what one trial needs (default: cpu=1)")
    limits.add_argument("--max-failures", type=int, metavar="N", help="retries of a failed trial; -1: for ever (default: 0)")
    limits.add_argument("--fail-fast", action=argparse.BooleanOptionalAction, default=None, help="a failed trial ends the run")

    where = parser.add_argument_group("what is kept")
    where.add_argument("--checkpoints", type=_options, metavar="keep=2,...", help="keep, metric, mode, every, at_end")
    if new:
        where.add_argument("--name", help="of the run and its folder")
        where.add_argument(
            "--storage-path",
            metavar="FOLDER|URL",
            help="default: $MICROTUNE_STORAGE or ~/microtune_runs; with a URL (s3://bucket/tune) checkpoints go there and the "
            "journal stays in that folder",
        )
        where.add_argument("--seed", type=int, metavar="N", help="of all randomness")
    where.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")


_PLAIN = (
    "metric", "mode", "num_samples", "points_to_evaluate", "warm_start", "searcher", "scheduler", "executor", "loggers",
    "modifiers", "stop", "time_budget_s", "trial_timeout_s", "report_timeout_s", "grace_s", "max_concurrent_trials",
    "resources", "max_failures", "fail_fast", "checkpoints", "name", "storage_path", "seed",
)  # fmt: skip


# What may be taken back by `none`: None itself would mean that the option was not given.
_NONE = (
    "scheduler", "num_samples", "max_concurrent_trials", "stop", "time_budget_s", "trial_timeout_s", "report_timeout_s",
)  # fmt: skip


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line says, as arguments of Tuner; what it does not mention is left out."""
    found = {key: value for key in _PLAIN if (value := getattr(arguments, key, None)) is not None}
    for key in ("metric", "mode", "stop"):
        if len(found.get(key, ())) == 1:
            found[key] = found[key][0]
    for key in _NONE:
        if found.get(key) == "none":
            found[key] = None
    for key in ("loggers", "modifiers", "warm_start"):
        if found.get(key) == ["none"]:
            found[key] = []
    if "warm_start" in found:
        found["warm_start"] = [find_run(text) for text in found["warm_start"]]
    if arguments.space is not None:
        found["param_space"] = parse_space(arguments.space)
    return found


def set_options(chosen: dict[str, Any], assignments: list[str]) -> None:
    """Put each `ROLE.OPTION=VALUE` into the choice of that role."""
    for text in assignments:
        target, value = parse_assignment(text, f"--option {text}")
        role, _, option = target.partition(".")
        if role in SINGLE and option:
            chosen[role] = _with_option(chosen.get(role), option, value, text)
        elif role in SEVERAL and "." in option:
            name, _, option = option.rpartition(".")
            several = list(chosen.get(SEVERAL[role]) or ())
            found = [i for i, one in enumerate(several) if isinstance(one, str) and parse_choice(one)[0] == name]
            if not found:
                raise OptionError(f"--option {text}: no {role} {name!r} is chosen: choose it with --{role} {name}")
            several[found[0]] = _with_option(several[found[0]], option, value, text)
            chosen[SEVERAL[role]] = several
        else:
            raise OptionError(f"--option {text}: write searcher.OPTION=VALUE, or logger.NAME.OPTION=VALUE")


def _with_option(choice: Any, option: str, value: Any, text: str) -> str:
    role = text.partition(".")[0]
    if choice is None:
        raise OptionError(f"--option {text}: no {role} is chosen: choose it with --{role} NAME")
    if not isinstance(choice, str):
        raise OptionError(f"--option {text}: the {role} was given as an object: choose it again with --{role} NAME")
    name, options = parse_choice(choice)
    return format_choice(name, {**options, option: value})


# --- what one argument may be; argparse shows an ArgumentTypeError as a usage error ----------------------------------


def _seconds(text: str) -> float | str:
    if text.lower() == "none":
        return "none"
    found = re.fullmatch(r"(\d+\.?\d*(?:e[+-]?\d+)?)\s*([smhd]?)", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write seconds, or such as 90s, 10m, 2h")
    return float(found[1]) * _UNITS[found[2]]


def _count(text: str) -> int | str:
    if text.lower() == "none":
        return "none"
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor none") from None


def _options(text: str) -> dict[str, Any]:
    """`keep=1,every=2`, or the same as a JSON object."""
    try:
        return _json(text) if text.startswith("{") else parse_options(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _json(text: str) -> Any:
    value = parse_value(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object, such as '{{\"lr\": 0.01}}'")
    return value


def _stop(text: str) -> Any:
    value = parse_value(text)
    return value if isinstance(value, dict) else text
