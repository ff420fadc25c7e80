"""A CSV file that holds the rows of each event exactly once, however its writer ended."""

from __future__ import annotations

import csv
import io
import mmap
import os
from collections.abc import Sequence
from typing import Any

from microtune import RunError


class Table:
    """Append-only. Its first column is `seq`, the event that a row comes from; `seq` 0: it has no row yet.

    Events come in order, so all before the last one are whole. The last one may lack rows: it is whole if what comes next
    has a higher seq, and if it comes itself, its rows are replaced.
    """

    def __init__(self, path: str, columns: Sequence[str]) -> None:
        self.path = path
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\n")
        # Unbuffered: one write of the whole event, about a microsecond, and the death of the process takes nothing.
        self._file = open(path, "a+b", buffering=0, opener=_not_through_a_link)
        header = self._encode([columns])
        try:
            self._repair(header)
            self.seq, self._start, self._end = self._last_event(len(header))
        except BaseException:
            self.close()
            raise

    def write(self, seq: int, rows: Sequence[Sequence[Any]]) -> None:
        """Write the rows of an event, unless they are there."""
        if seq < self.seq:
            return
        if seq == self.seq:
            self._file.truncate(self._start)
            self._end = self._start
        data = self._encode(rows)
        self.seq, self._start = seq, self._end
        self._append(data)
        self._end += len(data)

    def close(self) -> None:
        self._file.close()

    def _encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        try:
            text = self._format(rows)
            whole = "\r" not in text and "\0" not in text and text.count("\n") == len(rows)
        except csv.Error:  # Python 3.10 refuses a NUL
            whole = False
        if not whole:
            text = self._format([[_one_line(cell) for cell in row] for row in rows])
        return text.encode("utf-8", "backslashreplace")

    def _format(self, rows: Sequence[Sequence[Any]]) -> str:
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerows(rows)
        return self._text.getvalue()

    def _append(self, data: bytes) -> None:
        while data:  # a disk that gets full takes a part, and raises at the next part
            data = data[self._file.write(data) :]

    def _repair(self, header: bytes) -> None:
        """Begin the file, or cut off the line that was being written when the process died."""
        self._file.seek(0)
        found = self._file.read(len(header))
        if found == header:
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                whole = data.rfind(b"\n") + 1
            self._file.truncate(whole)
        elif header.startswith(found):
            self._file.truncate(0)
            self._append(header)
        else:
            raise self._foreign()

    def _last_event(self, header: int) -> tuple[int, int, int]:
        """The seq of the last event, where its rows begin, and where they end."""
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = end = len(data)
            seq = b"0"
            while start > header:
                line = data.rfind(b"\n", 0, start - 1) + 1
                number = data[line : data.find(b",", line)]
                if start < end and number != seq:
                    break
                seq, start = number, line
        if not seq.isdigit():
            raise self._foreign()
        return int(seq), start, end

    def _foreign(self) -> RunError:
        return RunError(f"{self.path!r} was not written by logger 'csv', or by another version of it: move it away")


def _one_line(cell: Any) -> Any:
    """A row is a line, so that a torn one can be told from a whole one; and no reader of CSV likes a NUL."""
    if not isinstance(cell, str):
        return cell
    return cell.replace("\r", "\\r").replace("\n", "\\n").replace("\0", "\\0")


def _not_through_a_link(path: str, flags: int) -> int:
    """A run that came from somewhere may hold a link to a file that is not its own."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
