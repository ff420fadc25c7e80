"""The files of a trial, as text, and no file outside its folder."""

from __future__ import annotations

import os
import stat
from typing import Any

from microtune import RunError

_MOST = 1000  # files that are listed
_LONGEST = 200_000  # bytes that are shown of a file: its end


def listing(folder: str) -> dict[str, Any]:
    """The regular files below `folder`, by path, without following links; `more_files`: there are more than are listed."""
    found: list[dict[str, Any]] = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            try:
                status = os.lstat(path)
            except OSError:  # deleted just now
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            if len(found) == _MOST:
                return {"files": found, "more_files": True}
            shown = os.path.relpath(path, folder).encode(errors="replace").decode()
            found.append({"path": shown, "size": status.st_size, "changed": status.st_mtime})
    return {"files": found, "more_files": False}


def read_text(root: str, folder: str, path: str) -> dict[str, Any]:
    """The end of a file below `folder`, which lies below `root`. RunError where it leads elsewhere, or is no text.

    Every link on the way is followed before the answer to "where is it?" is believed, and the file opened is that very one.
    """
    wanted = "" if "\0" in path else os.path.realpath(os.path.join(folder, path))
    inside = os.path.realpath(folder)
    if not _below(wanted, inside) or not _below(inside, os.path.realpath(root)):
        raise RunError(f"{path!r} is not in the folder of the trial")
    try:
        # Without waiting for the other end of a pipe; a link that appeared in the last moment is refused.
        handle = os.open(wanted, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise RunError(f"the file {path!r} cannot be read: {error.strerror}") from error
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise RunError(f"{path!r} is not a file")
        file.seek(max(0, status.st_size - _LONGEST))
        data = file.read(_LONGEST)
    if b"\0" in data:
        return {"path": path, "size": status.st_size, "text": None, "cut": False}
    return {
        "path": path,
        "size": status.st_size,
        "text": data.decode(errors="replace"),
        "cut": status.st_size > _LONGEST,
    }


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)
