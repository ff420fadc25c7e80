"""SQLite's log as it lies on the disk: whether all of it is read, for SQLite itself ends it in silence at the first damage.

https://www.sqlite.org/fileformat.html, section 4; https://www.sqlite.org/walformat.html, section 2.1.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_HEADER, _FRAME, _PAGE = 32, 24, 1024  # bytes; a frame is its own header and one page
_STEP = _FRAME + _PAGE
_SALTS = slice(16, 24)  # of the header of the log: those of its frames differ once it was begun anew


class Frame(NamedTuple):
    number: int  # from 1
    page: int
    size: int  # of the database in pages, after the commit that this frame ends; else 0


def is_cut_short(path: str) -> bool:
    """Whether the database at `path`, which somebody reads at present, has commits in its log that SQLite passes over.

    One at the very end may be that of a writer who died in the middle of it, or who is in the middle of it now.
    """
    try:
        with open(f"{path}-wal", "rb") as log:
            if os.fstat(log.fileno()).st_size < _HEADER + _STEP:
                return False
            head = log.read(_HEADER)
            if not _is_intact(head):
                return True
            commits = (frame.number for frame in _backwards(log, head[_SALTS]) if frame.size)
            next(commits, 0)
            sure = next(commits, 0)
        with open(f"{path}-shm", "rb") as index:  # later than the log, which grows
            number, salts = struct.unpack("=16xI12x8s", index.read(40))
    except FileNotFoundError:  # the writer has folded it into the database
        return False
    return salts in (head[_SALTS], bytes(8)) and number < sure


def apply_all(path: str) -> None:
    """Write every page of the log into the database, whatever its checksum says, and remove the log."""
    with open(f"{path}-wal", "rb") as log, open(path, "r+b") as file:
        head = log.read(_HEADER)
        salts = head[_SALTS] if _is_intact(head) else log.read(_FRAME)[8:16]
        frames = sorted(_backwards(log, salts))
        most = os.path.getsize(path) // _PAGE + len(frames)
        last = max((frame.number for frame in frames if frame.size), default=0)
        for frame in frames:
            if frame.number <= last and 1 <= frame.page <= most:
                log.seek(_HEADER + frame.number * _STEP - _PAGE)
                file.seek((frame.page - 1) * _PAGE)
                file.write(log.read(_PAGE))
    os.remove(f"{path}-wal")


def _backwards(log: BinaryIO, salts: bytes) -> Iterator[Frame]:
    """The whole frames with these salts, the last one first."""
    for number in range((os.fstat(log.fileno()).st_size - _HEADER) // _STEP, 0, -1):
        log.seek(_HEADER + (number - 1) * _STEP)
        page, size, found = struct.unpack(">II8s8x", log.read(_FRAME))
        if found == salts:
            yield Frame(number, page, size)


def _is_intact(head: bytes) -> bool:
    """By the checksum in it. The magic number says in which byte order that was computed."""
    order = ">" if head[3] & 1 else "<"
    words = struct.unpack(f"{order}6I", head[:24])
    first = second = 0
    for i in range(0, 6, 2):
        first = (first + words[i] + second) & 0xFFFFFFFF
        second = (second + words[i + 1] + first) & 0xFFFFFFFF
    return (first, second) == struct.unpack(">II", head[24:32])
