"""sys.stdout and sys.stderr while a table is on their terminal."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO


class Captured(io.TextIOBase):
    """Hands whole lines on; what a progress bar writes over again (`\\r`) counts only as it is at the line's end."""

    def __init__(self, file: TextIO, say: Callable[[str], None]) -> None:
        self._file = file
        self._say = say
        self._begun = ""
        self._process = os.getpid()
        self._open = True

    def write(self, text: str) -> int:
        if not self._open or os.getpid() != self._process:  # a forked child has no table
            return self._file.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._say(line.rstrip("\r").rpartition("\r")[2])
        if "\r" in self._begun.rstrip("\r"):
            self._begun = self._begun[self._begun.rstrip("\r").rindex("\r") + 1 :]
        return len(text)

    def flush(self) -> None:
        if not self._open or os.getpid() != self._process:
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._file.encoding

    def release(self) -> None:
        """From now on it is the file: somebody may hold on to it."""
        self._open = False
        if self._begun:
            self._say(self._begun)


@contextlib.contextmanager
def captured(say: Callable[[str], None]) -> Iterator[None]:
    """Whatever of the two is a terminal is captured; what goes to a file or a pipe is not touched."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    ours = {name: Captured(file, say) for name, file in before.items() if file is not None and file.isatty()}
    for name, file in ours.items():
        setattr(sys, name, file)
    try:
        yield
    finally:
        for name, file in ours.items():
            if getattr(sys, name) is file:  # else somebody else has put another one there, and will put this one back
                setattr(sys, name, before[name])
            file.release()
