"""A row of the journal is what was written, or an error; and reading holds nothing open."""

from __future__ import annotations

import os
import sqlite3

import pytest

import microtune as mt
from microtune.events import Event
from microtune.journal import Journal, Reader
from microtune.rows import to_event, to_row, verify


def written(folder, number):
    journal = Journal(str(folder), create=True)
    journal.append(Event(1, 0.0, "opened", None, {"id": "x", "settings": {}}))
    for seq in range(2, number + 1):
        journal.append(Event(seq, float(seq), "result", "00000", {"iteration": seq, "metrics": {}, "time_total_s": 0.0}))
    journal.commit()
    return journal


def spoil(folder, *statements):
    db = sqlite3.connect(os.path.join(folder, "journal.db"))
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize("trial", ["00007", None])
def test_a_row_goes_to_the_disk_and_back(trial):
    event = Event(7, 1.5, "result", trial, {"metrics": {"loss": 0.1, "name": "é"}, "checkpoint": "/run/trials/00007/c"})
    row = to_row(event, "/run")
    verify(row)
    assert to_event(row, "/run") == event
    assert '"./trials/00007/c"' in row[4]


@pytest.mark.parametrize(
    "change",
    [
        "at = at + 1e-9", "kind = 'created'", "trial = '00001'", "trial = NULL", "body = replace(body, '5', '6')",
        "crc = crc + 1", "at = 'text'", "body = x'ff'", "crc = 'text'", "body = ''",
    ],
)  # fmt: skip
def test_whatever_is_changed_in_a_row_is_noticed(change, tmp_path):
    written(tmp_path, 9).close()
    spoil(tmp_path, f"UPDATE events SET {change} WHERE seq = 5")
    reader = Reader(str(tmp_path))
    with pytest.raises(mt.RunError, match=r"journal\.db' is damaged: .*`microtune repair .*` saves every event before"):
        list(reader.events())
    reader.close()


@pytest.mark.parametrize("gone", [1, 5, 1500])
def test_a_row_that_is_missing_is_noticed(gone, tmp_path):
    written(tmp_path, 2500).close()
    spoil(tmp_path, f"DELETE FROM events WHERE seq = {gone}")
    with pytest.raises(mt.RunError, match=f"damaged: event {gone} is missing"):
        list(Reader(str(tmp_path)).events())


def test_rows_that_changed_places_are_noticed(tmp_path):
    written(tmp_path, 9).close()
    spoil(
        tmp_path, "UPDATE events SET seq = 99 WHERE seq = 5", "UPDATE events SET seq = 5 WHERE seq = 6",
        "UPDATE events SET seq = 6 WHERE seq = 99",
    )  # fmt: skip
    with pytest.raises(mt.RunError, match="damaged: event 5 is not what was written down"):
        list(Reader(str(tmp_path)).events())


def test_a_read_sees_the_journal_as_it_was_when_it_began(tmp_path):
    journal = written(tmp_path, 2500)
    reader = Reader(str(tmp_path))
    events = reader.events()
    first = next(events)
    journal.append(Event(2501, 0.0, "result", "00000", {}))
    journal.commit()
    assert [first, *events][-1].seq == 2500
    assert reader.seq() == 2501
    journal.close()


def test_a_read_in_the_middle_holds_nothing_open(tmp_path):
    journal = written(tmp_path, 2500)
    readers = [Reader(str(tmp_path)) for _ in range(2)]
    halves = [readers[0].events(), readers[1].events(kinds=("result",))]
    for half in halves:
        next(half)
    busy, *_ = journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert os.path.getsize(tmp_path / "journal.db-wal") == 0
    assert [len(list(half)) for half in halves] == [2499, 2498]
    journal.close()


@pytest.mark.parametrize("name", [None, "", "..", "../up", "/tmp/up", "a/b", "a\n", "\x1b[31m", "x" * 101])
def test_the_id_of_a_trial_is_the_name_of_a_folder(name):
    row = to_row(Event(1, 1.0, "created", name, {}), "/runs/run")
    with pytest.raises(ValueError, match="cannot be the id of a trial"):
        to_event(row, "/runs/run")
