"""The folder of a run: made, and held by one writer at a time.

On one machine the lock is safe. On a network file system it is as good as that one's locks (NFS since Linux 2.6.12 has them,
between machines too), but SQLite's WAL needs one machine for all who have the journal open: write and read it there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import weakref
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
    """One writer: an advisory lock that the system itself releases when its process dies, so it is never stale.

    RunError where somebody else has it, or where there are no locks to be had.
    """
    try:
        file = open(os.path.join(folder, LOCK), "a+", opener=_not_through_a_link)  # it is emptied below
    except OSError as error:
        raise RunError(f"the file {LOCK} in {folder!r} cannot be written: {error.strerror}") from error
    try:
        _take(file)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        if error.errno not in _TAKEN:
            raise RunError(
                f"the file system of {folder!r} has no locks ({error.strerror}), so nothing would keep a second process from "
                "writing to the run: give another storage_path="
            ) from error
        raise RunError(f"{holder} is writing to the run in {folder!r}: wait for it, or end it, then try again") from None
    _held.add(file)
    with contextlib.suppress(OSError):  # a full disk: the lock holds without its holder's name
        file.truncate(0)
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
    return file


def lock_holder(folder: str | os.PathLike[str]) -> str | None:
    """Who writes to the run at this moment, as "process 12 on host"; None where nobody does."""
    try:
        with open(os.path.join(folder, LOCK), encoding="utf-8") as file:
            try:
                _take(file)
            except OSError:
                file.seek(0)
                return file.read().strip() or "another process"
    except OSError:
        pass
    return None


_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # the last two: Windows
_held: weakref.WeakSet[IO[str]] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child, which would hold the lock after its parent's death; closing there releases nothing here."""
    for file in list(_held):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def _not_through_a_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has no such flag


def _take(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(1 << 20)  # far behind the text, which stays readable
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
