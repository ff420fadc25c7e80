"""The processes that a trial leaves behind, also those that have left its session or lost their parent.

On Linux each worker adopts what its trials orphan, and so does the template: when a worker has ended, whatever it had
becomes a child of the template, which by that knows it, and nothing else, as left behind.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on a descendant of this process that loses its parent becomes its child, not that of process 1."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Of this process, which has one thread; on a system without /proc none is seen."""
    me = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]
    except OSError:  # a kernel without that file
        return [int(entry.parent.name) for entry in Path("/proc").glob("[0-9]*/stat") if _parent(entry) == me]


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])  # what follows the name, and the state
    except OSError:  # it has just ended
        return 0
