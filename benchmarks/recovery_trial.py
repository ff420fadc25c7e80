"""What the trials of recovery.py do under any tuner, and the witnesses: a file of evaluations and one of results heard.

Both lie outside the run, as no resume may know of them.
"""

from __future__ import annotations

import os
import signal
import time

REPORTS = 10  # of one trial
SAVED_EVERY = 2  # reports
WIDTH = 10**9  # of the space of x, by which a configuration is known again
STEP = 0.005  # seconds

WITNESS = "RECOVERY_WITNESS"  # the folder of the two files
KILL_AFTER = "RECOVERY_KILL_AFTER"  # results that the driver has heard; it dies then


def evaluate(x: int, step: int) -> float:
    witness("evaluated", f"{x} {step} {time.time()}")
    time.sleep(STEP)
    return x / WIDTH / step


class Heard:
    """The results that the driver has told its loggers, so that a user has seen them."""

    def __init__(self) -> None:
        self._count = 0

    def result(self, x: int, step: int) -> None:
        witness("heard", f"{x} {step}")
        self._count += 1
        if str(self._count) == os.environ.get(KILL_AFTER):
            os.kill(os.getpid(), signal.SIGKILL)


def witness(name: str, line: str) -> None:
    with open(os.path.join(os.environ[WITNESS], name), "a") as file:
        file.write(line + "\n")
