"""A run as a TOML file.

    # microtune run compose.toml

    [tuner]                                   # the arguments of Tuner, by their names
    trainable = "digits:train"                # module:function; the module lies beside this file, or is installed
    metric = "accuracy"                       # or a list, with a list of modes
    mode = "max"
    num_samples = 20                          # "none": no limit
    seed = 1
    stop = "accuracy > 0.99"                  # or { accuracy = 0.99 }, or a list of these
    time_budget_s = 600
    resources = { cpu = 1 }
    checkpoints = { keep = 2, metric = "accuracy", mode = "max" }
    points_to_evaluate = [{ lr = 0.01 }]

    [space]                                   # a text that is a call is a domain, all else is a constant
    lr = "loguniform(1e-5, 1e-1)"
    batch_size = "choice([32, 64, 128])"
    epochs = 10
    optimizer = "choice([{'kind': 'sgd', 'momentum': uniform(0, 1)}, {'kind': 'adam'}])"

    [space.network]                           # nested, as deep as you like
    layers = ["randint(16, 65)", "randint(16, 65)"]
    dropout = "quniform(0.0, 0.5, 0.1)"

    [searcher]                                # name: as on the command line, or package.module.Class
    name = "random"

    [scheduler]                               # everything but the name is an option of the plugin
    name = "asha"
    max_t = 10
    type = "promotion"

    [executor]
    name = "local"

    [[logger]]                                # none at all: the console; logger = []: no logger
    name = "console"

    [[logger]]
    name = "csv"

    [[modifier]]                              # the first one is the outermost
    name = "dedup"

A plugin may also be one text, `scheduler = "asha:max_t=10"`, in front of the first table. `param_space = "module:attribute"`
in [tuner] takes the place of [space].
"""

from __future__ import annotations

import os
import sys
from typing import Any

from microtune.cli.spaces import import_space, read_table
from microtune.faults import OptionError
from microtune.options import did_you_mean, format_choice

SINGLE = ("searcher", "scheduler", "executor")
SEVERAL = {"logger": "loggers", "modifier": "modifiers"}  # table -> the argument of Tuner
TABLES = ("tuner", "space", *SINGLE, *SEVERAL)


def read_recipe(path: str) -> dict[str, Any]:
    """The arguments of Tuner, `trainable` among them, that a file gives. Its folder is then searched for modules too."""
    content = _load(path)
    for table in content:
        if table not in TABLES:
            near = did_you_mean(table, TABLES)
            raise OptionError(f"{path}: there is no table [{table}]{near}; the tables are {', '.join(TABLES)}")
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(1, folder)
    arguments = dict(_table(content.get("tuner", {}), f"{path}: [tuner]"))
    if isinstance(arguments.get("param_space"), str):
        arguments["param_space"] = import_space(arguments["param_space"])
    found: dict[str, Any] = {}
    if "space" in content:
        found["param_space"] = read_table(_table(content["space"], f"{path}: [space]"))
    for role in SINGLE:
        if role in content:
            found[role] = _choice(content[role], f"{path}: [{role}]")
    for role, argument in SEVERAL.items():
        if role in content:
            several = content[role] if isinstance(content[role], list) else [content[role]]
            found[argument] = [_choice(one, f"{path}: [[{role}]]") for one in several]
    for argument in found:
        if argument in arguments:
            raise OptionError(f"{path}: {argument} is given in [tuner] and by a table of its own: keep one of them")
    return {**arguments, **found}


def _load(path: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise OptionError(f"{path}: Python 3.10 reads TOML with tomli: pip install tomli") from None
    try:
        with open(path, "rb") as file:
            content: dict[str, Any] = tomllib.load(file)
            return content
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # TOMLDecodeError, and bytes that are not UTF-8
        raise OptionError(f"{path} is not TOML: {error}") from error


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OptionError(f"{where} is {value!r}, not a table")
    return value


def _choice(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    options = dict(_table(value, where))
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise OptionError(f'{where} names no plugin: write name = "..."')
    return format_choice(name, options)
