"""The journal's readers: as many as you like, at any time, in any process."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from microtune.events import VERSION, Event
from microtune.faults import RunError
from microtune.rows import DAMAGE, SELECT, problem, read, to_event, verify
from microtune.schema import FILE, LOG
from microtune.wal import is_cut_short


class Reader:
    """Reads what is committed, also while the run goes on; holds up nobody, and nothing open between two questions."""

    _db: Any = None  # an open sqlite3.Connection, once there is one
    _copied: Any = None  # a TemporaryDirectory, where the run's own folder will not do

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)
        expect(folder)
        try:
            try:
                self._connect(self._folder, "mode=ro")
            except sqlite3.OperationalError as error:
                # WAL's shared memory is a file, for which there may be no room beside the journal.
                if "unable to open" not in str(error) and "readonly" not in str(error):
                    raise
                self.close()
                self._connect_elsewhere()
        except DAMAGE as error:
            self.close()
            raise problem(folder, error) from error

    def _connect(self, folder: str, how: str) -> None:
        uri = Path(folder, FILE).as_uri()
        self._db = sqlite3.connect(f"{uri}?{how}", uri=True, check_same_thread=False)
        check_version(self._db, self._folder)
        if "immutable" not in how and is_cut_short(os.path.join(folder, FILE)):
            raise ValueError(f"its log, {LOG}, is read only in part")

    def _connect_elsewhere(self) -> None:
        """A folder that cannot be written: its log, if there is one, can only be read in a copy."""
        if not size(self._folder, LOG):
            self._connect(self._folder, "immutable=1")
            return
        self._copied = tempfile.TemporaryDirectory(prefix="microtune-")
        for name in (FILE, LOG):
            shutil.copyfile(os.path.join(self._folder, name), os.path.join(self._copied.name, name))
        self._connect(self._copied.name, "mode=ro")

    def events(self, after: int = 0, kinds: tuple[str, ...] = (), trial: str | None = None) -> Iterator[Event]:
        yield from read(self._db, self._folder, after, kinds, trial)  # which holds on to this reader, and so keeps it open

    def last(self, kind: str) -> Event | None:
        try:
            row = self._db.execute(f"{SELECT} WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind,)).fetchone()
            if row is None:
                return None
            verify(row)
            return to_event(row, self._folder)
        except DAMAGE as error:
            raise problem(self._folder, error) from error

    def seq(self) -> int:
        try:
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
        except DAMAGE as error:
            raise problem(self._folder, error) from error

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        if self._copied is not None:
            self._copied.cleanup()

    __del__ = close  # results are asked for as long as somebody holds them


def size(folder: str, name: str) -> int:
    """In bytes; 0 where there is no such file."""
    path = os.path.join(folder, name)
    return os.path.getsize(path) if os.path.exists(path) else 0


def expect(folder: str, *, empty: bool = False) -> None:
    """RunError where there is no journal that could be opened."""
    if not os.path.exists(os.path.join(folder, FILE)):
        raise RunError(f"there is no run in {folder!r}: it holds no {FILE}")
    if not empty and not size(folder, FILE):  # SQLite would take it for a new one, and delete its log
        raise problem(folder, "it is empty")


def check_version(db: sqlite3.Connection, folder: str) -> None:
    found = db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    if found is None:
        raise ValueError("it does not say which version it has")
    if int(found[0]) < 1:
        raise ValueError(f"it says that it has version {found[0]}")
    if int(found[0]) > VERSION:
        raise RunError(
            f"the journal in {folder!r} has version {found[0]}, this microtune reads up to {VERSION}: upgrade "
            f"microtune-kernel. If no newer one has been here, the number is damaged: `microtune repair {shlex.quote(folder)}`"
        )
