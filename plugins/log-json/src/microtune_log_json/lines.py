"""A file of JSON lines that holds each event exactly once, however its writer ended."""

from __future__ import annotations

import json
import mmap
import os

from microtune import RunError


class Lines:
    """Append-only. Every line is an object with a `seq`; `seq` is that of the last one, 0 where there is none."""

    def __init__(self, path: str) -> None:
        self.path = path
        # Unbuffered: one write a line, about a microsecond, and the death of the process takes nothing.
        self._file = open(path, "a+b", buffering=0, opener=_not_through_a_link)
        try:
            self.seq = self._repair()
        except BaseException:
            self.close()
            raise

    def write(self, seq: int, text: str) -> None:
        """Write the line of an event, unless it is there."""
        if seq <= self.seq:
            return
        data = text.encode("ascii") + b"\n"
        while data:  # a disk that gets full takes a part, and raises at the next part
            data = data[self._file.write(data) :]
        self.seq = seq

    def close(self) -> None:
        self._file.close()

    def _repair(self) -> int:
        """Cut off the line that was being written when the process died; the seq of the last whole one."""
        if not os.path.getsize(self.path):  # an empty file cannot be mapped
            return 0
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            end = data.rfind(b"\n") + 1
            last = data[data.rfind(b"\n", 0, max(0, end - 1)) + 1 : end]
            torn = data[end:]
        if not last and not b'{"seq":'.startswith(torn[:7]):
            raise self._foreign()
        try:
            seq = int(json.loads(last)["seq"]) if last else 0
        except (ValueError, TypeError, KeyError):
            raise self._foreign() from None
        self._file.truncate(end)
        return seq

    def _foreign(self) -> RunError:
        return RunError(f"{self.path!r} was not written by logger 'json': move it away")


def _not_through_a_link(path: str, flags: int) -> int:
    """A run that came from somewhere may hold a link to a file that is not its own."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
