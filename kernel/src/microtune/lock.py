"""The folder of a run: made, and held by one writer at a time."""

from __future__ import annotations

import os
import socket
from typing import IO

from microtune.faults import RunError

LOCK = "journal.lock"


def make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = f"{folder!r} cannot be made: {error.strerror}"
        raise RunError(f"the folder of the run, {why}: give another storage_path=") from error
    if not os.access(folder, os.W_OK):
        raise RunError(f"the folder of the run, {folder!r}, is not writable: give another storage_path=")


def lock(folder: str) -> IO[str]:
    """One writer: an advisory lock that the system itself releases when its process dies, so it is never stale."""
    try:
        file = open(os.path.join(folder, LOCK), "a+")
    except OSError as error:
        raise RunError(f"the folder {folder!r} is not writable: {error.strerror}") from error
    try:
        _take(file)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise RunError(f"{holder} is writing to the run in {folder!r}: wait for it, or end it, then try again") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def _take(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(1 << 20)  # far behind the text, which stays readable
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
