"""The journal: an append-only list of events in SQLite, written by the kernel alone, read by anyone at any time.

WAL mode, so readers never block the writer; `synchronous=NORMAL`, so a commit survives the death of the process, and a
power cut takes at most the last commits, never the file. `:memory:` keeps it in memory, for tests and simulations.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from typing import IO, Any
from zlib import crc32

from microtune.events import CLOSED, VERSION, Event
from microtune.faults import RunError
from microtune.lock import LOCK, lock, make_folder
from microtune.reader import Reader, expect, size
from microtune.rows import DAMAGE, Row, problem, read, to_row
from microtune.schema import FILE, INDEX, LOG, PRAGMAS, SCHEMA

MEMORY = ":memory:"

say = logging.getLogger("microtune")

class Journal:
    """The writer's side. `append` collects, `commit` writes all of it in one transaction."""

    _db: Any = None  # an open sqlite3.Connection, once there is one

    def __init__(self, folder: str, *, create: bool) -> None:
        self.folder = folder
        self.fresh: list[Event] = []  # not committed yet
        self._rows: list[Row] = []  # the same, as they are written
        self._lock: IO[str] | None = None
        path = MEMORY
        if folder != MEMORY:
            path = os.path.join(folder, FILE)
            if create:
                make_folder(folder)
            else:
                expect(folder)
            self._lock = lock(folder)
            if create and os.path.exists(path) and not _discard_if_empty(folder):
                self._lock.close()
                raise RunError(
                    f"the folder {folder!r} holds another run: go on with it through Tuner.restore({folder!r}) or "
                    "`microtune resume`, or give the new run another name="
                )
        try:
            if not create:
                _look(folder)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(PRAGMAS)
            if create:
                self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
                self.put("version", str(VERSION))
        except DAMAGE as error:
            if create and folder != MEMORY:
                _discard(folder)
            self.close()
            raise self._refused(error) if create else problem(folder, error) from error
        except BaseException:  # a newer version, Ctrl-C
            self.close()
            raise

    def append(self, event: Event) -> None:
        try:
            row = to_row(event, self.folder)
        except (TypeError, ValueError, RecursionError) as error:
            what = f"the event {event.kind!r} of trial {event.trial}"
            raise RunError(f"{what} cannot be written down, as it is not JSON: {error}") from error
        self._rows.append(row)
        self.fresh.append(event)

    def retract(self) -> None:
        """Take the last one back."""
        self._rows.pop()
        self.fresh.pop()

    def commit(self, logged: int | None = None) -> list[Event]:
        """Write what was appended, and that the loggers have had everything up to `logged`; return what was written."""
        events = self.fresh
        if not events and logged is None:
            return events
        rows = self._rows
        try:
            if len(rows) <= _FEW and logged is None:
                # One statement is a transaction by itself, and a fifth cheaper than one that is begun and committed.
                self._db.execute(_INSERTS[len(rows)], rows[0] if len(rows) == 1 else [v for row in rows for v in row])
            else:
                self._db.execute("BEGIN")
                self._db.executemany(_INSERTS[1], rows)
                if logged is not None:
                    self._db.execute("UPDATE loggers SET seq = ?, crc = ? WHERE active", (logged, _check(logged)))
                self._db.execute("COMMIT")
        except BaseException as error:  # KeyboardInterrupt too
            if self._db.in_transaction:
                self._db.rollback()
            if not isinstance(error, sqlite3.Error):
                raise
            raise self._refused(error) from error
        self.fresh, self._rows = [], []
        return events

    def events(self, after: int = 0, kinds: tuple[str, ...] = ()) -> Iterator[Event]:
        yield from read(self._db, self.folder, after, kinds)

    def put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def loggers(self) -> dict[str, int]:
        """The last `seq` that each logger has had. Where that is damaged it has had none: it hears everything again."""
        try:
            found = self._db.execute("SELECT name, seq, crc FROM loggers").fetchall()
            return {name: seq for name, seq, crc in found if crc == _check(seq)}
        except DAMAGE as error:
            raise problem(self.folder, error) from error

    def set_loggers(self, positions: dict[str, int]) -> None:
        """From now on a commit's `logged` is meant for these loggers."""
        try:
            self._db.execute("UPDATE loggers SET active = 0")
            rows = [(name, seq, _check(seq)) for name, seq in positions.items()]
            self._db.executemany("INSERT OR REPLACE INTO loggers VALUES (?, ?, 1, ?)", rows)
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def retire_logger(self, name: str) -> None:
        """It hears no more: its position stays where it is, and it is told the rest when it is back."""
        try:
            self._db.execute("UPDATE loggers SET active = 0 WHERE name = ?", (name,))
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Let go of the folder. A journal in memory can be read as long as somebody holds it."""
        if self._db is not None and self.folder != MEMORY:
            self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def discard(self) -> None:
        """Leave nothing of a run that was refused before its first event was committed; its folder too, if it is empty."""
        if self.folder != MEMORY:
            _discard(self.folder)
            with contextlib.suppress(OSError):
                os.remove(os.path.join(self.folder, LOCK))
                os.rmdir(self.folder)

    def __del__(self) -> None:
        if self._db is not None:
            self._db.close()

    def index(self) -> None:
        """Make reading one trial's events fast; done once a session is over, since it slows down writing."""
        with contextlib.suppress(sqlite3.Error):  # a full disk: reading is slow then, and nothing is lost
            self._db.execute(INDEX)

    def _refused(self, error: BaseException) -> RunError:
        return RunError(
            f"the journal in {self.folder!r} cannot be written: {error}. What was committed before is safe; make room or "
            f"give back the right to write, then resume the run from {self.folder!r}"
        )


_FEW = 8  # rows; most turns have no more
_INSERTS = ["INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows) for rows in range(_FEW + 1)]


def _look(folder: str) -> None:
    """RunError where the journal is damaged, or not ours: before it is opened for writing, which changes what is there."""
    has_log = size(folder, LOG) > 0
    with contextlib.closing(Reader(folder)) as reader:
        closed = reader.last(CLOSED)
        if not has_log and (closed is None or closed.seq < reader.seq()):
            say.warning(
                "the last session of the run in %s did not end in order, and there is no %s: if the folder was copied without "
                "that file, copy it too, since the last events are in it", folder, LOG,
            )  # fmt: skip


def _check(seq: int) -> int:
    return crc32(b"%d" % seq)


def _discard_if_empty(folder: str) -> bool:
    """A run that was refused or killed before its first event leaves a journal that nobody can miss."""
    if size(folder, FILE) + size(folder, LOG):
        try:
            reader = Reader(folder)
            if reader.seq() > 0:
                return False
            reader.close()
        except RunError:
            return False
    _discard(folder)
    return True


def _discard(folder: str) -> None:
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, FILE + ending))
