"""The journal: an append-only list of events in SQLite, written by the kernel alone, read by anyone at any time.

WAL mode, so readers never block the writer; `synchronous=NORMAL`, so a commit survives the death of the process, and a
power cut takes at most the last commits, never the file. `:memory:` keeps it in memory, for tests and simulations.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from microtune.bodies import absolute, decode, encode, relative
from microtune.events import VERSION, Event
from microtune.faults import RunError
from microtune.lock import LOCK, lock, make_folder

MEMORY = ":memory:"
FILE = "journal.db"

# Small pages, since a commit writes whole ones; 32 MB of log before it is folded into the file, with an fsync.
_PRAGMAS = """
PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=32000;
"""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE loggers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, active INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL
);
-- For people. The kernel reads `events` only. json_extract, not ->>, which SQLite has since 3.38 only.
CREATE VIEW results AS
    SELECT seq, at, trial, json_extract(body, '$.iteration') AS iteration,
           json_extract(body, '$.time_total_s') AS time_total_s, json_extract(body, '$.metrics') AS metrics,
           json_extract(body, '$.checkpoint') AS checkpoint
    FROM events WHERE kind = 'result' AND json_extract(body, '$.repeat') IS NULL;
CREATE VIEW trials AS
    SELECT made.trial AS id, json_extract(made.body, '$.number') AS number,
           CASE last.kind WHEN 'ended' THEN json_extract(last.body, '$.state') WHEN 'launched' THEN 'RUNNING'
                          WHEN 'decided' THEN 'PAUSED' ELSE 'PENDING' END AS state,
           json_extract(last.body, '$.reason') AS reason,
           json_extract(coalesce(again.body, made.body), '$.config') AS config
    FROM events AS made
    JOIN (SELECT trial, max(seq) AS seq FROM events
          WHERE kind IN ('created', 'launched', 'interrupted', 'ended')
             OR (kind = 'resumed' AND json_extract(body, '$.goes_on') IS NULL)
             OR (kind = 'decided' AND json_extract(body, '$.decision') = 'pause') GROUP BY trial) AS latest USING (trial)
    JOIN events AS last ON last.seq = latest.seq
    LEFT JOIN (SELECT trial, max(seq) AS seq FROM events
               WHERE kind = 'resumed' AND json_extract(body, '$.config') IS NOT NULL GROUP BY trial) AS moved USING (trial)
    LEFT JOIN events AS again ON again.seq = moved.seq
    WHERE made.kind = 'created';
"""


class Journal:
    """The writer's side. `append` collects, `commit` writes all of it in one transaction."""

    _db: Any = None  # an open sqlite3.Connection, once there is one

    def __init__(self, folder: str, *, create: bool) -> None:
        self.folder = folder
        self.fresh: list[Event] = []  # not committed yet
        self._rows: list[_Row] = []  # the same, as they are written
        self._lock: IO[str] | None = None
        path = MEMORY
        if folder != MEMORY:
            path = os.path.join(folder, FILE)
            if create:
                make_folder(folder)
            elif not os.path.exists(path):
                raise RunError(f"there is no run in {folder!r}: it holds no {FILE}")
            self._lock = lock(folder)
            if create and os.path.exists(path) and not _discard_if_empty(folder):
                self._lock.close()
                raise RunError(
                    f"the folder {folder!r} holds another run: go on with it through Tuner.restore({folder!r}) or "
                    "`microtune resume`, or give the new run another name="
                )
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            if not create:
                check_version(self._db, folder)  # first, since the rest would write to what may be no journal of ours
            self._db.executescript(_PRAGMAS)
            if create:
                self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                self.put("version", str(VERSION))
        except sqlite3.DatabaseError as error:
            if create and folder != MEMORY:
                _discard(folder)
            self.close()
            raise RunError(f"the journal in {folder!r} cannot be opened: {error}") from error

    def append(self, event: Event) -> None:
        seq, at, kind, trial, body = event
        try:
            text = encode(relative(body, self.folder))
        except (TypeError, ValueError, RecursionError) as error:
            raise RunError(f"the event {kind!r} of trial {trial} cannot be written down, as it is not JSON: {error}") from error
        self._rows.append((seq, at, kind, trial, text))
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
                    self._db.execute("UPDATE loggers SET seq = ? WHERE active", (logged,))
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
        yield from _read(self._db, self.folder, after, kinds)

    def put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def loggers(self) -> dict[str, int]:
        """The last `seq` that each logger has had."""
        return dict(self._db.execute("SELECT name, seq FROM loggers").fetchall())

    def set_loggers(self, positions: dict[str, int]) -> None:
        """From now on a commit's `logged` is meant for these loggers."""
        try:
            self._db.execute("UPDATE loggers SET active = 0")
            self._db.executemany("INSERT OR REPLACE INTO loggers VALUES (?, ?, 1)", positions.items())
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
            self._db.execute("CREATE INDEX IF NOT EXISTS events_by_trial ON events (trial, seq)")

    def _refused(self, error: sqlite3.Error) -> RunError:
        return RunError(
            f"the journal in {self.folder!r} cannot be written: {error}. What was committed before is safe; make room or "
            f"give back the right to write, then resume the run from {self.folder!r}"
        )


_FEW = 8  # rows; most turns have no more
_INSERTS = ["INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * rows) for rows in range(_FEW + 1)]


class Reader:
    """The readers' side: as many as you like, while the run goes on."""

    _db: Any = None  # an open sqlite3.Connection, once there is one

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)
        path = os.path.join(folder, FILE)
        if not os.path.exists(path):
            raise RunError(f"there is no run in {folder!r}: it holds no {FILE}")
        uri = Path(path).absolute().as_uri()
        try:
            try:
                self._db = sqlite3.connect(f"{uri}?mode=ro", uri=True, check_same_thread=False)
                check_version(self._db, folder)
            except sqlite3.OperationalError:  # a folder that cannot be written has no room for WAL's shared memory
                self.close()
                self._db = sqlite3.connect(f"{uri}?immutable=1", uri=True, check_same_thread=False)
                check_version(self._db, folder)
        except sqlite3.DatabaseError as error:
            raise RunError(f"the journal in {folder!r} cannot be read: {error}") from error

    def events(self, after: int = 0, kinds: tuple[str, ...] = (), trial: str | None = None) -> Iterator[Event]:
        yield from _read(self._db, self._folder, after, kinds, trial)  # which holds on to this reader, and so keeps it open

    def last(self, kind: str) -> Event | None:
        row = self._db.execute(f"{_SELECT} WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind,)).fetchone()
        return row and _event(row, self._folder)

    def seq(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    __del__ = close  # results are asked for as long as somebody holds them


_SELECT = "SELECT seq, at, kind, trial, body FROM events"
_Row = tuple[int, float, str, "str | None", str]


def _read(
    db: sqlite3.Connection, folder: str, after: int, kinds: tuple[str, ...] = (), trial: str | None = None
) -> Iterator[Event]:
    where, values = ["seq > ?"], [after, *kinds]
    if kinds:
        where.append(f"kind IN ({', '.join('?' * len(kinds))})")
    if trial is not None:
        where.append("trial = ?")
        values.append(trial)
    try:
        for row in db.execute(f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY seq", values):
            yield _event(row, folder)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise RunError(f"the journal in {folder!r} is damaged: {error}") from error


def _event(row: _Row, folder: str) -> Event:
    seq, at, kind, trial, body = row
    return Event(seq, at, kind, trial, absolute(decode(body), folder))


def check_version(db: sqlite3.Connection, folder: str) -> None:
    found = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    if found is None or int(found[0]) > VERSION:
        raise RunError(
            f"the journal in {folder!r} has version {found and found[0]}, this microtune reads up to {VERSION}: "
            "upgrade microtune-kernel"
        )


def _discard_if_empty(folder: str) -> bool:
    """A run that was refused or killed before its first event leaves a journal that nobody can miss."""
    try:
        reader = Reader(folder)
        if reader.seq() > 0:
            return False
        reader.close()
    except (RunError, sqlite3.Error):
        if os.path.getsize(os.path.join(folder, FILE)) > 0:
            return False
    _discard(folder)
    return True


def _discard(folder: str) -> None:
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, FILE + ending))
