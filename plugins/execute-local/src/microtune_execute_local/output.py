"""A trial's output, at the level of file descriptors: also what C libraries and child processes write."""

from __future__ import annotations

import ctypes
import io
import os
import sys

_libc = ctypes.CDLL(None)


class Output:
    def __init__(self) -> None:
        self._own = os.dup(1), os.dup(2)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)  # so that one can follow the file

    def to(self, folder: str) -> None:
        """Append all that is written from now on to `output.txt` in this folder."""
        os.makedirs(folder, exist_ok=True)
        file = os.open(os.path.join(folder, "output.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        self._point_to(file, file)
        os.close(file)

    def back(self) -> None:
        self._point_to(*self._own)

    def _point_to(self, out: int, err: int) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        _libc.fflush(None)  # the buffers of C's stdio
        os.dup2(out, 1)
        os.dup2(err, 2)
