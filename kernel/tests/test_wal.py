"""The log on the disk: whether SQLite reads all of it, which it does not say itself."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from microtune.events import Event
from microtune.journal import Journal
from microtune.wal import apply_all, is_cut_short

HEADER, FRAME = 32, 1048  # bytes


@pytest.fixture
def path(tmp_path):
    """A database whose 20 last commits are in its log, as a writer who was killed leaves it."""
    journal = Journal(str(tmp_path / "run"), create=True)
    for seq in range(1, 21):
        journal.append(Event(seq, 0.0, "fault", None, {"message": "x" * 100}))
        journal.commit()
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    journal.close()
    return str(tmp_path / "killed" / "journal.db")


def looked_at(path):
    """(what it says of the log, how many events SQLite finds)"""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (count,) = reader.execute("SELECT count(*) FROM events").fetchone()
        return is_cut_short(path), count
    finally:
        reader.close()


def spoil(path, at):
    with open(f"{path}-wal", "r+b") as log:
        log.seek(at)
        byte = log.read(1)[0]
        log.seek(at)
        log.write(bytes([byte ^ 1]))


def test_a_whole_log_is_not_cut_short(path):
    assert looked_at(path) == (False, 20)


def test_a_database_without_a_log_is_not_cut_short(path):
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert looked_at(path) == (False, 20)
    os.remove(f"{path}-wal")
    assert not is_cut_short(path)


@pytest.mark.parametrize("at", [0, 7, 100, 800, FRAME - 1])
def test_a_frame_that_sqlite_refuses_hides_those_after_it_and_that_is_noticed(at, path):
    frames = (os.path.getsize(f"{path}-wal") - HEADER) // FRAME
    spoil(path, HEADER + frames // 2 * FRAME + at)
    cut, count = looked_at(path)
    assert cut
    assert 0 < count < 20


def test_the_last_commit_may_be_torn(path):
    """Its writer died in the middle of it: it was never made."""
    frames = (os.path.getsize(f"{path}-wal") - HEADER) // FRAME
    spoil(path, HEADER + (frames - 1) * FRAME + 500)
    assert looked_at(path) == (False, 19)


def test_frames_of_a_log_that_was_begun_anew_are_none_of_it(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA wal_checkpoint(RESTART)")
    db.execute("INSERT INTO meta VALUES ('a', 'b')")
    size = os.path.getsize(f"{path}-wal")
    assert size > HEADER + 10 * FRAME, "the old frames are still there"
    assert looked_at(path) == (False, 20)
    db.close()


def test_the_pages_of_a_damaged_log_are_still_those_of_the_database(path):
    spoil(path, HEADER + 12 * FRAME + 8)  # a salt: SQLite stops there
    assert looked_at(path)[0]
    apply_all(path)
    assert not os.path.exists(f"{path}-wal")
    assert sqlite3.connect(path).execute("SELECT count(*) FROM events").fetchone()[0] == 20
