"""The process that drives a run, and asking it to stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from microtune import RunError, lock_holder


class Driver(NamedTuple):
    """As the journal's last session names it."""

    folder: str
    host: str | None
    pid: int | None

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname() and isinstance(self.pid, int)

    def stop(self) -> int:
        """Ask for what Ctrl-C asks for: the run drains and can be resumed. Returns the process asked.

        RunError where it is not sure that this process is the run's: the number may belong to another one by now, so it has
        to hold the lock of the run at this moment.
        """
        if not self.is_here:
            raise RunError(f"the run is driven from {self.host}, not from here: stop it there, with Ctrl-C")
        if sys.platform == "win32":
            raise RunError("Windows has no signal that ends a process in order: press Ctrl-C in its own window")
        assert self.pid is not None
        if lock_holder(self.folder) != f"process {self.pid} on {self.host}":
            raise RunError(f"process {self.pid} does not drive the run any more: there is nothing to stop")
        try:
            os.kill(self.pid, signal.SIGTERM if self._ignores_interrupts() else signal.SIGINT)
        except OSError as error:
            raise RunError(f"process {self.pid}, which drives the run, cannot be told: {error.strerror}") from error
        return self.pid

    def _ignores_interrupts(self) -> bool:
        """As does what a script starts in the background with `&`."""
        try:
            found = re.search(r"^SigIgn:\s*(\w+)", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        except OSError:
            return False
        return found is not None and bool(int(found[1], 16) >> (signal.SIGINT - 1) & 1)
