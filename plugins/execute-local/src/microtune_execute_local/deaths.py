"""How a worker process ended, in words."""

from __future__ import annotations

import os
import signal


def describe(pid: int, status: int) -> str:
    """`status` is that of `os.waitpid`; with pid 0, the error for which there is no process."""
    if pid == 0:
        return f"no worker process could be started: {os.strerror(status)}"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"worker process {pid} exited with status {code} before its trial had ended"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"worker process {pid} was killed by {name}"


def oom_kills() -> int:
    """How often the system has killed for want of memory, control groups' limits included; 0 where it does not say."""
    try:
        with open("/proc/vmstat", encoding="ascii") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0


def by_sigkill(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def bring_about(group: int) -> None:
    """Kill a process group, if it is still there."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
