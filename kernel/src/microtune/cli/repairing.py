"""The command that saves a run whose journal is damaged: repair."""

from __future__ import annotations

import argparse
import shlex

from microtune.cli.text import print_facts, print_json, states
from microtune.repair import beside, repair
from microtune.storage import find_run


def repair_run(arguments: argparse.Namespace) -> int:
    """Save every event before the damage into a new journal; the damaged one is kept beside it.

    examples:
      microtune repair my-run
    """
    folder = find_run(arguments.run)
    done = repair(folder)
    go_on = f"microtune resume {shlex.quote(folder)}"
    others = beside(folder) if done.lost != 0 else []
    if arguments.json:
        print_json({"path": folder, **done._asdict(), "resume": go_on, "beside": others})
        return 0
    if done.kept is None:
        print(f"the journal of {folder} is sound, all {done.saved} events of it: nothing was changed")
        return 0
    print_facts(
        {
            "run": folder, "damage": done.why,
            "saved": f"{done.saved} events: {states(done.trials) or 'no trials'}",
            "lost": "all events after these; how many, cannot be told" if done.lost is None else f"{done.lost} events",
            "kept": f"{done.kept}, the damaged journal",
        }
    )  # fmt: skip
    if done.lost != 0:
        print("\nThe resume removes the checkpoints of lost events: copy the folder `trials` before, if you need them.")
    if others:
        print(f"The loggers' files may hold lost events. Move these away, and they are written anew: {', '.join(others)}")
    print(f"\nGo on with `{go_on}`")
    return 0


COMMANDS = {"repair": repair_run}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="the folder of the run, or its name in the default storage")
