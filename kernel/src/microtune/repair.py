"""Repair: every event before the damage becomes the run's journal. The damaged one is kept beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from microtune import events as ev
from microtune.faults import RunError
from microtune.lock import lock
from microtune.reader import check_version, expect, size
from microtune.replay import State
from microtune.rows import DAMAGE, SELECT, Row, to_event, verify
from microtune.schema import FILE, INDEX, LOG, PRAGMAS, SCHEMA
from microtune.wal import apply_all, is_cut_short

_PAGE = 1024  # bytes, as PRAGMAS has it


class Repaired(NamedTuple):
    """What became of a journal. `kept`: where the damaged one is; None: there was no damage, and nothing was changed."""

    saved: int  # events
    lost: int | None  # None: that cannot be told
    why: str | None  # what the first damage is
    trials: dict[str, int]  # how many of those saved are in each state
    kept: str | None


def repair(folder: str) -> Repaired:
    """RunError where nothing can be saved, or where somebody is writing to the run; it is left as it is then."""
    expect(folder, empty=True)
    held = lock(folder)
    try:
        with tempfile.TemporaryDirectory(prefix="repair-", dir=folder) as workshop:
            found = _salvaged(folder, workshop)
            if found.why is None and found.sound:
                return Repaired(found.saved, 0, None, found.trials, None)
            if not found.saved:
                raise RunError(
                    f"nothing of the journal {os.path.join(folder, FILE)!r} can be saved: {found.why}. It was left as it is; "
                    "start the run anew under another name"
                )
            kept = _exchange(folder, found.made)
        return Repaired(found.saved, found.lost, found.why or "SQLite's own structure is damaged", found.trials, kept)
    except (OSError, sqlite3.Error) as error:  # of what is written: the damaged one was left as it is
        raise RunError(f"the new journal cannot be written to {folder!r}: {error}. Make room there, then try again") from error
    finally:
        held.close()


class _Salvage:
    """One attempt at reading a copy of the journal, row by row into a new one, up to the first damage."""

    def __init__(self, folder: str, copy: str) -> None:
        self.made = copy + ".made"
        self.saved = 0
        self.lost: int | None = None
        self.why: str | None = None
        self.sound = False
        self._state = State(folder)
        self._folder = folder
        self._copy = copy
        with closing(_created(self.made)) as new, closing(sqlite3.connect(copy, isolation_level=None)) as old:
            new.execute("BEGIN")
            new.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", self._rows(old))
            self._cut(new)
            new.execute("COMMIT")
            new.execute(INDEX)
            self._judge(old)

    @property
    def trials(self) -> dict[str, int]:
        return {state: count for state, count in self._state.counts.items() if count}

    def _rows(self, old: sqlite3.Connection) -> Iterator[Row]:
        """Each is verified, and can be replayed after those before it."""
        try:
            old.execute("PRAGMA synchronous=OFF")
            old.execute("PRAGMA writable_schema=ON")  # a file that is shorter than its header says can be read then
            for row in old.execute(f"{SELECT} ORDER BY seq"):
                if row[0] != self.saved + 1:
                    raise ValueError(f"event {self.saved + 1} is missing")
                verify(row)
                event = to_event(row, self._folder)
                _refuse_newer(event)
                self._state.apply(event)
                if event.kind == ev.ENDED:
                    self._state.forget(event.trial or "")
                yield row
                self.saved += 1
                self._last = event
        except (*DAMAGE, RuntimeError, AssertionError) as error:  # RuntimeError: a transition that is none
            self.why = str(error).partition(" with text ")[0]

    def _cut(self, new: sqlite3.Connection) -> None:
        """A checkpoint is written down before the result that it came with, and says nothing without it."""
        if self.saved and self._last.kind == ev.CHECKPOINT:
            new.execute("DELETE FROM events WHERE seq = ?", (self.saved,))
            self.saved -= 1

    def _judge(self, old: sqlite3.Connection) -> None:
        """How many events come after those saved, and whether the rest of the file is as it should be."""
        try:
            row = old.execute(f"{SELECT} ORDER BY seq DESC LIMIT 1").fetchone()
            verify(row)
            self.lost = row[0] - self.saved
        except DAMAGE:
            return
        try:
            with closing(sqlite3.connect(self._copy)) as strict:  # which forgives no damaged schema
                check_version(strict, self._folder)
                self.sound = strict.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        except (*DAMAGE, RunError):  # RunError: the number of a newer version, which no event confirms
            pass
        if is_cut_short(self._copy):
            self.why = self.why or f"its log, {LOG}, is damaged"
            self.lost = None


def _salvaged(folder: str, workshop: str) -> _Salvage:
    """The best of some attempts; nothing that is read is believed without its checksum."""
    attempts = []
    for name, amend in _ATTEMPTS.items():
        copy = os.path.join(workshop, name)
        shutil.copyfile(os.path.join(folder, FILE), copy)
        if size(folder, LOG):
            shutil.copyfile(os.path.join(folder, LOG), f"{copy}-wal")
        amend(copy)
        _fill_up(copy)
        attempts.append(_Salvage(folder, copy))
        if attempts[-1].why is None:
            break
    best = max(attempts, key=lambda attempt: attempt.saved)
    best.why = attempts[0].why
    return best


def _replace_schema(copy: str) -> None:
    """The pages that tell where each table begins are alike in every journal, since all are created alike.

    If these are not, the events' checksums say it.
    """
    blank = f"{copy}.blank"
    with closing(_created(blank)) as new:
        tables = {page for (page,) in new.execute("SELECT rootpage FROM sqlite_master")}
    pages = max(os.path.getsize(copy), os.path.getsize(blank)) // _PAGE
    with open(blank, "rb") as source, open(copy, "r+b") as file:
        for number in range(1, os.path.getsize(blank) // _PAGE + 1):
            page = bytearray(source.read(_PAGE))
            if number == 1:
                page[28:32] = pages.to_bytes(4, "big")  # https://www.sqlite.org/fileformat.html, 1.3
            if number not in tables:
                file.seek((number - 1) * _PAGE)
                file.write(page)


def _fill_up(copy: str) -> None:
    """With empty pages, where it was truncated: SQLite refuses a table that begins behind the end of the file."""
    length = os.path.getsize(copy)
    with open(copy, "rb") as file:
        wanted = _PAGE * int.from_bytes(file.read(32)[28:], "big")
    if length < wanted < 100 * length:  # else the number itself is damaged
        os.truncate(copy, wanted)


def _apply_log(copy: str) -> None:
    """Most pages are in the log many times, and what one damaged frame holds is in a later one too."""
    if os.path.exists(f"{copy}-wal"):
        apply_all(copy)


def _apply_log_and_replace_schema(copy: str) -> None:
    _apply_log(copy)
    _replace_schema(copy)


_ATTEMPTS: dict[str, Callable[[str], None]] = {
    "as-it-is": lambda copy: None,
    "new-schema": _replace_schema,
    "whole-log": _apply_log,
    "both": _apply_log_and_replace_schema,
}


def _created(path: str) -> Any:
    new = sqlite3.connect(path, isolation_level=None)
    new.executescript(f"{PRAGMAS} PRAGMA synchronous=OFF; BEGIN; {SCHEMA} COMMIT;")  # `_exchange` brings it to the disk
    new.execute("INSERT INTO meta VALUES ('version', ?)", (str(ev.VERSION),))
    return new


def _refuse_newer(event: ev.Event) -> None:
    if event.kind in (ev.OPENED, ev.CHANGED) and event.body.get("version", 1) > ev.VERSION:
        raise RunError(
            f"event {event.seq} was written by a newer microtune, {event.body.get('kernel')}: upgrade microtune-kernel, "
            "then repair"
        )


def _exchange(folder: str, made: str) -> str:
    """Put the new journal in the place of the damaged one, and return where that is now."""
    path, log = os.path.join(folder, FILE), os.path.join(folder, LOG)
    kept, number = f"{path}.damaged", 1
    while os.path.exists(kept):
        number += 1
        kept = f"{path}.damaged-{number}"
    shutil.copyfile(path, kept)
    if os.path.exists(log):
        shutil.copyfile(log, kept + "-wal")  # under this name SQLite takes the two for one journal
        os.remove(log)  # before the exchange: it is no log of the new one
    if os.path.exists(f"{path}-shm"):
        os.remove(f"{path}-shm")
    with open(made, "rb") as file:
        os.fsync(file.fileno())
    os.replace(made, path)
    return kept


def beside(folder: str) -> list[str]:
    """What loggers and others have put into the folder of the run."""
    return sorted(name for name in os.listdir(folder) if name not in ("trials", "requests") and not name.startswith("journal."))
