"""The command `microtune`: run, resume, ls, show, best, export, plugins. One file per family of commands.

Exit codes: 0 it is done; 1 an error, or a run whose trials all failed; 2 the command, an option or a file in it is wrong;
130 and 143 the run was interrupted by Ctrl-C or SIGTERM, and can be resumed. Results go to stdout, errors to stderr.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Sequence

from microtune import __version__
from microtune.cli import exporting, looking, plugins, running
from microtune.faults import MicrotuneError, OptionError

_DESCRIPTION = """\
Tune hyperparameters. Every searcher, scheduler, executor and logger is a plugin: `microtune plugins` lists them.

  microtune run digits:train --space 'lr=loguniform(1e-5, 1e-1)' --metric accuracy --mode max --num-samples 20
  microtune run compose.toml
  microtune ls
  microtune best NAME
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    # "module:function" is found where the user stands; a console script has its own folder there instead.
    if sys.path[0] != os.getcwd():
        sys.path.insert(0, os.getcwd())
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
        return code
    except MicrotuneError as error:
        if arguments.traceback:
            raise
        print(f"microtune: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt as interrupt:
        print(f"\nmicrotune: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of `microtune export ... | head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "microtune", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"microtune {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="answer in JSON")
    shared.add_argument("--traceback", action="store_true", help="show an error with its traceback")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for family in (running, looking, exporting, plugins):
        for name, command in family.COMMANDS.items():
            head, _, more = inspect.cleandoc(command.__doc__ or "").partition("\n\n")
            sub = commands.add_parser(
                name, parents=[shared], help=head, description=head, allow_abbrev=False,
                epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter,
            )  # fmt: skip
            family.add_arguments(name, sub)
            sub.set_defaults(command=command)
    return parser
