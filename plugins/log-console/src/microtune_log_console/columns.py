"""The table of trials: columns that keep their width, as many as fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

GAP = 2
WIDEST = 16  # of a column whose values may be long texts
NARROWEST = 6  # that a column may be cut to, where it is the last one that there is room for


class Column:
    """As wide as what it has ever held, so that the others stay where they are when the rows change."""

    __slots__ = ("name", "right", "width")

    def __init__(self, name: str, *, right: bool = False) -> None:
        self.name = name
        self.right = right
        self.width = min(cell_len(name), WIDEST)

    def hold(self, value: str) -> None:
        self.width = max(self.width, min(cell_len(value), WIDEST))


def laid_out(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
    """The rows as lines of at most `width` cells; each has a value for each column. Columns that do not fit are left out."""
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.hold(value.plain)
    fitting: list[tuple[bool, int]] = []
    left = width
    for column in columns:
        room = min(column.width, left)
        if room < min(column.width, NARROWEST):
            break
        fitting.append((column.right, room))
        left -= room + GAP
    for row in rows:
        line = Text(no_wrap=True)
        for (right, room), value in zip(fitting, row, strict=False):
            value.truncate(room, overflow=value.overflow)
            pad = " " * (room - value.cell_len)
            line.append(" " * GAP if line else "")
            line.append(pad if right else "").append_text(value).append("" if right else pad)
        yield line
