"""What another process asks of a run that goes on: to end, and to stop one of its trials."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path

from microtune.faults import RunError
from microtune.lifecycle.requested import FOLDER
from microtune.lock import lock_holder
from microtune.storage import find_trial, open_run
from microtune.trial import COMPLETED, FAILED, STOPPED


def stop_run(path: str | os.PathLike[str]) -> int:
    """Ask for what Ctrl-C asks for: the run drains, and can be resumed. Returns the process that was asked.

    RunError where nobody drives the run, or somebody on another machine does. The process is the one that holds the lock of
    the run, so it is never another one that has its number by now.
    """
    folder = os.fspath(path)
    holder = lock_holder(folder)
    if holder is None:
        raise RunError(f"nobody drives the run in {folder!r}: there is nothing to stop")
    found = re.fullmatch(r"process (\d+) on (.+)", holder)
    if found is None:
        raise RunError(f"{holder} drives the run in {folder!r}, and does not say which: stop it there, with Ctrl-C")
    pid, host = int(found[1]), found[2]
    if host != socket.gethostname():
        raise RunError(f"the run in {folder!r} is driven from {host}, not from here: stop it there, with Ctrl-C")
    if sys.platform == "win32":
        raise RunError("Windows has no signal that ends a process in order: press Ctrl-C in its own window")
    try:
        os.kill(pid, signal.SIGTERM if _ignores_interrupts(pid) else signal.SIGINT)
    except OSError as error:
        raise RunError(f"process {pid}, which drives the run, cannot be told: {error.strerror}") from error
    return pid


def stop_trial(path: str | os.PathLike[str], trial_id: str) -> str:
    """Ask for a trial to be stopped, as a stop rule would: at its next result. The run goes on.

    The run looks for what it is asked once a second; what is asked while nobody drives it, it finds when it is resumed.
    `trial_id` may be the trial's number too. Returns the id. RunError where there is no such trial, or it is over.
    """
    grid = open_run(os.fspath(path))
    trial = find_trial(grid, trial_id)
    if trial.state in (COMPLETED, STOPPED, FAILED):
        raise RunError(f"trial {trial.id} of the run in {grid.path!r} is over: it is {trial.state}")
    folder = os.path.join(grid.path, FOLDER)
    if os.path.islink(folder) or os.path.basename(trial.id) != trial.id:  # a forged run
        raise RunError(f"trial {trial.id!r} cannot be stopped: that would write outside of the run, in {folder!r}")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, trial.id), "a"):
            pass
    except OSError as error:
        raise RunError(f"trial {trial.id} cannot be stopped: {folder!r} is not writable: {error.strerror}") from error
    return trial.id


def _ignores_interrupts(pid: int) -> bool:
    """As does what a script starts in the background with `&`."""
    try:
        found = re.search(r"^SigIgn:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return found is not None and bool(int(found[1], 16) >> (signal.SIGINT - 1) & 1)
