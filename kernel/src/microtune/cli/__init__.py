"""The command `microtune`: run, resume, stop, repair, ls, show, best, export, import, plugins, and those that plugins bring.

Exit codes: 0 it is done; 1 an error, or a run whose trials all failed; 2 the command, an option or a file in it is wrong;
130, 143 and 129 the run was interrupted by Ctrl-C, SIGTERM or the end of its terminal, and can be resumed. Results go to
stdout, errors to stderr.
"""

from __future__ import annotations

import argparse
import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from microtune import __version__, catalog
from microtune.cli import exporting, importing, looking, plugins, repairing, running, stopping
from microtune.cli.text import plain
from microtune.faults import MicrotuneError, OptionError
from microtune.schema import FILE

_DESCRIPTION = """\
Tune hyperparameters. Every searcher, scheduler, executor and logger is a plugin: `microtune plugins` lists them.

  microtune run digits:train --space 'lr=loguniform(1e-5, 1e-1)' --metric accuracy --mode max --num-samples 20
  microtune run compose.toml
  microtune ls
  microtune best NAME
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    path = sys.path[:]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what it cannot encode is spelled out, as on stderr
    traceback = "--traceback" in argv
    _leave_here()
    try:
        arguments = _parser(argv).parse_args(argv)
        _stand_here(arguments.command)
        code: int = arguments.command(arguments)
        sys.stdout.flush()
        return code
    except MicrotuneError as error:
        if traceback:
            raise
        print(f"microtune: error: {plain(' '.join(str(error).split()))}", file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt as interrupt:
        print(f"\nmicrotune: {plain(str(interrupt)) or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of `microtune export ... | head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        sys.path[:] = path  # whoever calls this from Python goes on


def _leave_here() -> None:
    """Who only looks imports nothing from where the user stands, which may be a run's folder."""
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]


def _stand_here(command: Callable[..., int]) -> None:
    """A "module:function" is found where the user stands, but for a run's folder."""
    here = Path.cwd()
    imports = command in (*running.COMMANDS.values(), *plugins.COMMANDS.values())
    if imports and not any((folder / FILE).exists() for folder in (here, *here.parents)):
        sys.path.insert(0, str(here))


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "microtune", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"microtune {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="answer in JSON")
    shared.add_argument("--traceback", action="store_true", help="show an error with its traceback")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Callable[..., int], text: str, add_arguments: Callable[[Any], None]) -> None:
        head, _, more = inspect.cleandoc(text).partition("\n\n")
        sub = commands.add_parser(
            name, parents=[shared], help=head, description=head, allow_abbrev=False,
            epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        add_arguments(sub)
        sub.set_defaults(command=command)

    for family in (running, stopping, repairing, looking, exporting, importing, plugins):
        for name, command in family.COMMANDS.items():
            add(name, command, command.__doc__ or "", partial(family.add_arguments, name))
    asked = next((word for word in argv if not word.startswith("-")), None)
    if asked is None:  # for help, which is the only time that anybody waits for a look at what is installed
        parser.epilog = _from_plugins()
    elif asked not in commands.choices and catalog.is_known("command", asked):
        brought = catalog.load_plugin("command", asked)
        add(asked, brought.run, brought.__doc__ or "", brought.add_arguments)
    return parser


def _from_plugins() -> str:
    brought = catalog.installed("command")
    lines = [f"  {entry.name:<20}{entry.source}" for entry in brought]
    return "\n".join(["commands of plugins:", *lines]) if lines else ""
