"""The journal: an append-only list of events in SQLite, written by the kernel alone, read by anyone at any time.

WAL mode, so readers never block the writer; `synchronous=NORMAL`, so a commit survives the death of the process, and a
power cut takes at most the last commits, never the file. `:memory:` keeps it in memory, for tests and simulations.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from microtune.events import VERSION, Event
from microtune.faults import RunError

MEMORY = ":memory:"
FILE = "journal.db"

# Small pages, since a commit writes whole ones; 32 MB of log before it is folded into the file, with an fsync.
_PRAGMAS = """
PRAGMA page_size=2048; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=16000;
"""
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE loggers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, active INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL
);
-- For people. The kernel reads `events` only.
CREATE VIEW results AS
    SELECT seq, at, trial, body ->> 'iteration' AS iteration, body ->> 'time_total_s' AS time_total_s,
           body -> 'metrics' AS metrics, body ->> 'checkpoint' AS checkpoint
    FROM events WHERE kind = 'result' AND body ->> 'repeat' IS NULL;
CREATE VIEW trials AS
    SELECT made.trial AS id, made.body ->> 'number' AS number,
           CASE last.kind WHEN 'ended' THEN last.body ->> 'state' WHEN 'launched' THEN 'RUNNING'
                          WHEN 'decided' THEN 'PAUSED' ELSE 'PENDING' END AS state,
           last.body ->> 'reason' AS reason, made.body -> 'config' AS config
    FROM events AS made
    JOIN (SELECT trial, max(seq) AS seq FROM events
          WHERE kind IN ('created', 'resumed', 'launched', 'interrupted', 'ended')
             OR (kind = 'decided' AND body ->> 'decision' = 'pause') GROUP BY trial) AS latest USING (trial)
    JOIN events AS last ON last.seq = latest.seq
    WHERE made.kind = 'created';
"""

_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def _to_text(body: dict[str, Any]) -> str:
    """What `_json.encode` does, without building its C encoder at every call: a third of the time for a small body."""
    return "".join(_chunks(body, 0))


def _chunks(body: dict[str, Any], level: int) -> Iterable[str]:
    return _json.iterencode(body)


if json.encoder.c_make_encoder is not None:  # type: ignore[attr-defined]
    _chunks = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
        None, _json.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
    )


def encode(body: dict[str, Any]) -> str:
    """Strict JSON; a number that JSON lacks is spelled {"$float": "nan" | "inf" | "-inf"}."""
    try:
        return _to_text(body)
    except ValueError:
        return _to_text(_spell(body))


def decode(text: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text) if '"$float"' not in text else json.loads(text, object_hook=_unspell)
    return body


def _spell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {key: _spell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell(item) for item in value]
    return value


def _unspell(value: dict[str, Any]) -> Any:
    return float(value["$float"]) if len(value) == 1 and "$float" in value else value


class Journal:
    """The writer's side. `append` collects, `commit` writes all of it in one transaction."""

    def __init__(self, folder: str, *, create: bool) -> None:
        self.folder = folder
        self.fresh: list[Event] = []
        self._lock: IO[str] | None = None
        path = MEMORY
        if folder != MEMORY:
            path = os.path.join(folder, FILE)
            if create:
                _make_folder(folder)
            elif not os.path.exists(path):
                raise RunError(f"there is no run in {folder!r}: it holds no {FILE}")
            self._lock = _lock(folder)
            if create and os.path.exists(path) and not _discard_if_empty(folder):
                self._lock.close()
                raise RunError(
                    f"the folder {folder!r} holds another run: go on with it through Tuner.restore({folder!r}) or "
                    "`microtune resume`, or give the new run another name="
                )
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(_PRAGMAS)
            if create:
                self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
                self.put("version", str(VERSION))
            check_version(self._db, folder)
        except sqlite3.DatabaseError as error:
            self.close()
            raise RunError(f"the journal in {folder!r} cannot be opened: {error}") from error

    def append(self, event: Event) -> None:
        self.fresh.append(event)

    def commit(self, logged: int | None = None) -> list[Event]:
        """Write what was appended, and that the loggers have had everything up to `logged`; return what was written."""
        events = self.fresh
        if not events and logged is None:
            return events
        rows = [(seq, at, kind, trial, encode(body)) for seq, at, kind, trial, body in events]
        try:
            if len(rows) <= _FEW and logged is None:
                # One statement is a transaction by itself, and a fifth cheaper than one that is begun and committed.
                self._db.execute(_INSERTS[len(rows)], [value for row in rows for value in row])
            else:
                self._db.execute("BEGIN")
                self._db.executemany(_INSERTS[1], rows)
                if logged is not None:
                    self._db.execute("UPDATE loggers SET seq = ? WHERE active", (logged,))
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.rollback()
            raise RunError(
                f"the journal in {self.folder!r} cannot be written: {error}. What was committed before is safe; make room or "
                f"give back the right to write, then resume the run from {self.folder!r}"
            ) from error
        self.fresh = []
        return events

    def events(self, after: int = 0) -> Iterator[Event]:
        return _read(self._db, after)

    def put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def loggers(self) -> dict[str, int]:
        """The last `seq` that each logger has had."""
        return dict(self._db.execute("SELECT name, seq FROM loggers").fetchall())

    def set_loggers(self, positions: dict[str, int]) -> None:
        """From now on a commit's `logged` is meant for these loggers."""
        self._db.execute("UPDATE loggers SET active = 0")
        self._db.executemany("INSERT OR REPLACE INTO loggers VALUES (?, ?, 1)", positions.items())

    def close(self) -> None:
        """Let go of the folder. A journal in memory can be read as long as somebody holds it."""
        if getattr(self, "_db", None) is not None and self.folder != MEMORY:
            self._db.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def index(self) -> None:
        """Make reading one trial's events fast; done once a session is over, since it slows down writing."""
        self._db.execute("CREATE INDEX IF NOT EXISTS events_by_trial ON events (trial, seq)")


_FEW = 8  # rows; most turns have no more
_INSERTS = ["INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * rows) for rows in range(_FEW + 1)]


class Reader:
    """The readers' side: as many as you like, while the run goes on."""

    def __init__(self, folder: str) -> None:
        path = os.path.join(folder, FILE)
        if not os.path.exists(path):
            raise RunError(f"there is no run in {folder!r}: it holds no {FILE}")
        uri = Path(path).absolute().as_uri()
        try:
            self._db = sqlite3.connect(f"{uri}?mode=ro", uri=True, check_same_thread=False)
            check_version(self._db, folder)
        except sqlite3.OperationalError:  # a folder that cannot be written has no room for WAL's shared memory
            self._db = sqlite3.connect(f"{uri}?immutable=1", uri=True, check_same_thread=False)
            check_version(self._db, folder)
        except sqlite3.DatabaseError as error:
            raise RunError(f"the journal in {folder!r} cannot be read: {error}") from error

    def events(self, after: int = 0, kinds: tuple[str, ...] = (), trial: str | None = None) -> Iterator[Event]:
        return _read(self._db, after, kinds, trial)

    def last(self, kind: str) -> Event | None:
        row = self._db.execute(f"{_SELECT} WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind,)).fetchone()
        return row and _event(row)

    def seq(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def close(self) -> None:
        self._db.close()


_SELECT = "SELECT seq, at, kind, trial, body FROM events"


def _read(db: sqlite3.Connection, after: int, kinds: tuple[str, ...] = (), trial: str | None = None) -> Iterator[Event]:
    where, values = ["seq > ?"], [after, *kinds]
    if kinds:
        where.append(f"kind IN ({', '.join('?' * len(kinds))})")
    if trial is not None:
        where.append("trial = ?")
        values.append(trial)
    try:
        for row in db.execute(f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY seq", values):
            yield _event(row)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise RunError(f"the journal is damaged: {error}") from error


def _event(row: tuple[int, float, str, str | None, str]) -> Event:
    seq, at, kind, trial, body = row
    return Event(seq, at, kind, trial, decode(body))


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
        return False
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, FILE + ending))
    return True


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = f"{folder!r} cannot be made: {error.strerror}"
        raise RunError(f"the folder of the run, {why}: give another storage_path=") from error
    if not os.access(folder, os.W_OK):
        raise RunError(f"the folder of the run, {folder!r}, is not writable: give another storage_path=")


def _lock(folder: str) -> IO[str]:
    """One writer: an advisory lock that the system itself releases when its process dies, so it is never stale."""
    try:
        file = open(os.path.join(folder, "journal.lock"), "a+")
    except OSError as error:
        raise RunError(f"the folder {folder!r} is not writable: {error.strerror}") from error
    try:
        _take(file)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise RunError(f"{holder} is writing to the run in {folder!r}: wait for it, or end it, then try again") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def _take(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(1 << 20)  # far behind the text, which stays readable
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
