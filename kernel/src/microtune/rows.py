"""A row of the journal: an event and a checksum of it, so that what was damaged on the disk is never believed.

SQLite notices damage to its own structure, and nothing that happened to a value.
"""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import struct
from collections.abc import Iterator
from zlib import crc32

from microtune.bodies import absolute, decode, encode, relative
from microtune.events import CREATED, Event
from microtune.faults import RunError
from microtune.schema import FILE

Row = tuple[int, float, str, "str | None", str, int]  # seq, at, kind, trial, body, crc
SELECT = "SELECT seq, at, kind, trial, body, crc FROM events"
DAMAGE = (sqlite3.Error, ValueError, TypeError, KeyError, struct.error, MemoryError)  # what reading a damaged file may raise

# Rows that are read at once. In between no read is open, however slow the reader is: SQLite cannot begin its log anew while
# somebody reads from it.
_PAGE = 1000
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_numbers = struct.Struct("<qd").pack


def to_row(event: Event, folder: str) -> Row:
    seq, at, kind, trial, body = event
    text = encode(relative(body, folder))
    # _checksum, without the call: this is done for every report.
    return seq, at, kind, trial, text, crc32(f"{kind}{trial}{text}".encode(), crc32(_numbers(seq, at)))


def _checksum(seq: int, at: float, kind: str, trial: str | None, text: str) -> int:
    return crc32(f"{kind}{trial}{text}".encode(), crc32(_numbers(seq, at)))


def verify(row: Row) -> None:
    """ValueError, or another of DAMAGE, if this is not what was written."""
    seq, at, kind, trial, text, crc = row
    if crc != _checksum(seq, at, kind, trial, text):
        raise ValueError(f"event {seq} is not what was written down")


def is_id(text: str) -> bool:
    """Whether this can be the id of a trial, which names its folder."""
    return _ID.fullmatch(text) is not None


def to_event(row: Row, folder: str) -> Event:
    seq, at, kind, trial, text, _ = row
    if kind == CREATED and (trial is None or not is_id(trial)):
        raise ValueError(f"{trial!r} cannot be the id of a trial, which names its folder")
    return Event(seq, at, kind, trial, absolute(decode(text), folder))


def read(
    db: sqlite3.Connection, folder: str, after: int, kinds: tuple[str, ...] = (), trial: str | None = None
) -> Iterator[Event]:
    """What is committed now, also while more is. Every row is verified and, where all kinds and trials are asked for, that
    none is missing."""
    where, which = "", [*kinds]
    if kinds:
        where += f"kind IN ({', '.join('?' * len(kinds))}) AND "
    if trial is not None:
        where += "trial = ? AND "
        which.append(trial)
    query = f"{SELECT} WHERE {where} seq > ? AND seq <= ? ORDER BY seq LIMIT {_PAGE}"
    try:
        last = db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
        more = True
        while after < last and more:
            rows = db.execute(query, (*which, after, last)).fetchall()
            more = len(rows) == _PAGE
            for row in rows:
                if not where and row[0] != after + 1:
                    raise ValueError(f"event {after + 1} is missing")
                if row[0] <= after:
                    raise ValueError(f"event {row[0]} comes after event {after}")
                verify(row)
                after = row[0]
                yield to_event(row, folder)
        if not where and after < last:
            raise ValueError(f"event {after + 1} is missing")
    except DAMAGE as error:
        raise problem(folder, error) from error


def problem(folder: str, error: BaseException | str) -> RunError:
    """What to raise where the journal cannot be read: it is damaged, unless the error says what else is in the way."""
    path = os.path.join(folder, FILE)
    if isinstance(error, sqlite3.OperationalError) and any(words in str(error) for words in _NO_DAMAGE):
        return RunError(f"the journal {path!r} cannot be opened: {error}")
    why = str(error).partition(" with text ")[0]  # which would be bytes of any kind
    repair = f"microtune repair {shlex.quote(folder)}"
    return RunError(f"the journal {path!r} is damaged: {why}. `{repair}` saves every event before the damage")


_NO_DAMAGE = ("locked", "readonly", "unable to open", "is full")
