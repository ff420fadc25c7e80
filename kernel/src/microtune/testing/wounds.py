"""What happens to trials, as functions that an errand calls in the middle of its work."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

LONG = 600.0  # seconds: for ever, but an executor that cannot kill gets its process back one day


class Unpicklable(Exception):
    def __init__(self, message: str = "it holds a lock") -> None:
        super().__init__(message, threading.Lock())

    def __str__(self) -> str:
        return str(self.args[0])


class Speechless(Exception):
    """It cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def _raise(make: Callable[[], BaseException]) -> Callable[[], None]:
    def wound() -> None:
        raise make()

    return wound


def _send(signum: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), signum)


def _starve() -> None:
    """Fill what a limit of the system leaves, to the last small piece; the limit stays."""
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
    hoard: list[bytes] = []
    while True:
        hoard.append(bytes(1000 + len(hoard) % 7))


WOUNDS: dict[str, Callable[[], None]] = {
    "raises": _raise(lambda: ValueError("something is wrong")),
    "unpicklable": _raise(Unpicklable),
    "speechless": _raise(Speechless),
    "exits": lambda: sys.exit(3),
    "interrupted": _raise(KeyboardInterrupt),
    "memory": _raise(lambda: MemoryError("too much")),
    "starved": _starve,
    "killed": _send(signal.SIGKILL) if sys.platform != "win32" else lambda: os._exit(9),
    "crashed": _send(signal.SIGSEGV),
    "gone": lambda: os._exit(0),
    "gone-3": lambda: os._exit(3),
    "hangs": lambda: time.sleep(LONG),
}
