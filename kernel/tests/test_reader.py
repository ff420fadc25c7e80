"""Readers of the journal. What they make of damage is in test_repair.py, beside a writer in test_lock.py."""

from __future__ import annotations

import os
import sqlite3
import tempfile

import pytest

import microtune as mt
from microtune.events import VERSION, Event
from microtune.journal import Journal
from microtune.reader import Reader, expect, size


@pytest.fixture
def run(tmp_path):
    journal = Journal(str(tmp_path), create=True)
    for seq in range(1, 6):
        journal.append(Event(seq, float(seq), "fault" if seq < 5 else "closed", None, {"message": str(seq)}))
    journal.commit()
    yield journal
    journal.close()


def test_the_last_event_of_a_kind_is_found(run):
    reader = Reader(run.folder)
    last = reader.last("fault")
    assert (reader.seq(), last and last.seq, reader.last("opened")) == (5, 4, None)
    reader.close()


def test_any_number_of_readers_may_look_at_once(run):
    readers = [Reader(run.folder) for _ in range(20)]
    run.append(Event(6, 6.0, "fault", None, {}))
    run.commit()
    assert [reader.seq() for reader in readers] == [6] * 20


def test_a_reader_changes_nothing(run, tmp_path):
    run.close()
    before = (tmp_path / "journal.db").read_bytes()
    reader = Reader(run.folder)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM events")
    reader.close()
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_journal_that_is_locked_is_not_called_damaged(run):
    """By somebody who holds the whole file, as no reader and no writer of ours does."""
    run.close()
    other = sqlite3.connect(os.path.join(run.folder, "journal.db"), isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(mt.RunError, match=r"journal\.db' cannot be opened: database is locked"):
        Reader(run.folder)
    other.close()


def test_an_empty_file_is_not_opened_since_sqlite_would_delete_its_log(run, tmp_path):
    log = (tmp_path / "journal.db-wal").read_bytes()
    run.close()
    (tmp_path / "journal.db").write_bytes(b"")
    (tmp_path / "journal.db-wal").write_bytes(log)
    with pytest.raises(mt.RunError, match="is damaged: it is empty"):
        Reader(run.folder)
    assert (tmp_path / "journal.db-wal").read_bytes() == log
    assert size(run.folder, "journal.db-wal") == len(log)


def test_where_there_is_none_it_is_said(tmp_path):
    for open_it in (Reader, expect):
        with pytest.raises(mt.RunError, match=r"there is no run in .*: it holds no journal\.db"):
            open_it(str(tmp_path))


@pytest.mark.parametrize("value", ["0", "-1", "x", None])
def test_a_version_that_is_none_is_damage(value, run):
    run._db.execute("UPDATE meta SET value = ?", (value,))
    with pytest.raises(mt.RunError, match="is damaged"):
        Reader(run.folder)
    run.put("version", str(VERSION))
    Reader(run.folder).close()


def test_a_copy_of_what_cannot_be_read_in_its_place_is_gone_with_its_reader(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    os.mkdir(tempfile.tempdir)
    reader = Reader(run.folder)
    reader.close()
    reader._connect_elsewhere()
    assert reader.seq() == 5
    assert len(os.listdir(tempfile.tempdir)) == 1
    reader.close()
    assert os.listdir(tempfile.tempdir) == []
