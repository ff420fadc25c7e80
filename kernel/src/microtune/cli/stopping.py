"""The command that ends a run from another terminal, or stops one of its trials: stop."""

from __future__ import annotations

import argparse
import shlex

from microtune.cli.text import print_json
from microtune.requests import stop_run, stop_trial
from microtune.storage import find_run


def stop(arguments: argparse.Namespace) -> int:
    """Interrupt a run as Ctrl-C does, or stop some of its trials at their next result.

    RUN is the path of its folder, or its name in the default storage; TRIAL is an id or a number.

    examples:
      microtune stop my-run
      microtune stop my-run 7 12
    """
    folder = find_run(arguments.run)
    trials = [stop_trial(folder, trial) for trial in arguments.trials]
    pid = None if trials else stop_run(folder)
    go_on = f"microtune resume {shlex.quote(folder)}"
    if arguments.json:
        print_json({"path": folder, "trials": trials, "pid": pid, "resume": go_on})
    elif trials:
        print(f"asked: of each of these trials, the next result will be the last: {', '.join(trials)}")
    else:
        print(f"asked: process {pid} ends the run when its trials have left. Go on with `{go_on}`")
    return 0


COMMANDS = {"stop": stop}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the folder of the run, or its name in the default storage")
    parser.add_argument("trials", metavar="TRIAL", nargs="*", help="a trial to stop; without any, the run ends")
