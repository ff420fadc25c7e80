"""A few lines that stay below everything else on a terminal, and are painted anew in place."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

# Between these two a terminal that knows of it (DEC private mode 2026) shows nothing half done; others ignore them.
_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"
_CURSOR_OFF, _CURSOR_ON = "\x1b[?25l", "\x1b[?25h"
_CUT, _WRAP = "\x1b[?7l", "\x1b[?7h"  # what is too long for a line
GAP = 2  # empty lines above the frame: so many may others print between two frames without touching it
_CLEAR_LINE, _CLEAR_BELOW, _PLAIN = "\x1b[K", "\x1b[J", "\x1b[0m"


class Terminal:
    """Paints a frame over the one before, line by line, so nothing is ever blank, in one write.

    In between the cursor rests above the frame, on the first of `GAP` empty lines, and that makes two things simple. When the
    terminal gets another size, the frame begins where the cursor is, however the old lines have been wrapped. And what others
    print there, processes that know nothing of the frame, stands above it, and is kept.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._size: os.terminal_size | None = None

    @property
    def size(self) -> os.terminal_size:
        """What a frame may take up: a column less than there are, since a full line would hide where it ends."""
        size = self._measured()
        return os.terminal_size((max(1, size.columns - 1), max(1, size.lines - GAP)))

    def paint(self, above: list[str], frame: list[str]) -> None:
        """`above`: lines that stay. The frame has the form of `size`, or is cut to it."""
        size, frame = self._measured(), frame[: self.size.lines]
        begin = _CURSOR_OFF + _HOLD + "\r" + (_CLEAR_BELOW if size != self._size else "")
        said = "".join(f"{line}{_PLAIN}{_CLEAR_LINE}\r\n" for line in above)
        lines = "".join(f"\r\n{line}{_CLEAR_LINE}" for line in frame)
        gap = f"\r\n{_CLEAR_LINE}" * (GAP - 1)
        back = f"\x1b[{len(frame) + GAP - 1}A\r"
        self._write(f"{begin}{said}{_CUT}{_CLEAR_LINE}{gap}{lines}{_CLEAR_BELOW}{back}{_WRAP}{_SHOW}")
        self._size = size

    def leave(self, above: list[str], frame: list[str]) -> None:
        """Paint for the last time; the next to print goes on below."""
        self.paint(above, frame)
        below = "\r\n" * (len(frame[: self.size.lines]) + GAP) if frame else ""
        self._write(below + _CURSOR_ON)

    def abandon(self) -> None:
        """Give the terminal back as it is, without the frame."""
        self._write("\r" + _CLEAR_BELOW + _WRAP + _SHOW + _CURSOR_ON)

    def _measured(self) -> os.terminal_size:
        if "COLUMNS" not in os.environ:
            try:
                return os.get_terminal_size(self._out.fileno())
            except (OSError, ValueError):  # it is no terminal
                pass
        return shutil.get_terminal_size()

    def _write(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()
