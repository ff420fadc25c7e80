"""A damaged journal is noticed, never believed, and repaired up to the damage."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3

import pytest

import microtune as mt
from microtune.cli import main
from microtune.events import VERSION
from microtune.journal import Journal, Reader
from microtune.repair import beside, repair
from microtune.testing import FakeExecutor, FakeLogger, FakeSearcher

PAGE, FRAME = 1024, 1048  # bytes


def train(config):
    for step in range(1, 6):
        mt.report(loss=config["x"] / step)


def read(folder):
    """The events, with the paths of any run alike."""
    reader = Reader(str(folder))
    try:
        return list(reader.events())
    finally:
        reader.close()


@pytest.fixture
def closed(tuner, tmp_path):
    """The folder of a run that came to its end: all is in journal.db, with an index."""
    tuner(train, num_samples=40, executor=FakeExecutor(workers=3), loggers=[FakeLogger()]).fit()
    return tmp_path / "run"


@pytest.fixture
def cut(tuner, opened, killed):
    """The folder of a run that was killed: all is in journal.db-wal."""
    run = opened(tuner(train, num_samples=40, executor=FakeExecutor(workers=3), loggers=[FakeLogger()], name="cut"))
    for _ in range(90):
        run.step()
    return killed(run)


def flip(path, at, by=255):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ by]))


def outcome(folder, events):
    """What reading the journal in three ways comes to: True: the truth; False: the error that it should be."""
    found = []
    histories = {e.trial: 0 for e in events if e.kind == "created"}
    for event in events:
        if event.kind == "result":
            histories[event.trial] += 1
    for look in (look_by_reader, look_by_writer, look_by_results):
        try:
            truth = look(folder)
            assert truth == (histories if look is look_by_results else events), look.__name__
            found.append(True)
        except mt.RunError as error:
            said = str(error)
        else:
            continue
        assert f"the journal '{folder}/journal.db' is damaged: " in said or "has version" in said
        assert f"`microtune repair {folder}`" in said
        found.append(False)
    return found


def look_by_reader(folder):
    return read(folder)


def look_by_results(folder):
    return {trial.id: len(trial.history) for trial in mt.ResultGrid(folder)}


def look_by_writer(folder):
    copy = f"{folder}/copy"
    shutil.copytree(folder, copy)
    try:
        journal = Journal(copy, create=False)
        try:
            journal.loggers()
            return list(journal.events())
        finally:
            journal.close()
    except mt.RunError as error:
        raise mt.RunError(str(error).replace(copy, str(folder))) from error
    finally:
        shutil.rmtree(copy)


def test_no_flipped_byte_is_ever_believed(closed, tmp_path):
    """One in each page. Some are harmless, since no page is full."""
    rng, events = random.Random(1), read(closed)
    found = []
    for page in range(os.path.getsize(closed / "journal.db") // PAGE):
        folder = tmp_path / f"flipped-{page}"
        shutil.copytree(closed, folder)
        flip(folder / "journal.db", page * PAGE + rng.randrange(PAGE), rng.randrange(1, 256))
        found += outcome(folder, events)
        mended(folder, events)
        shutil.rmtree(folder)
    assert found.count(False) > len(found) / 2


def test_no_flipped_byte_in_the_log_is_ever_believed(cut, tmp_path):
    """SQLite itself takes the first damage for the end of the log, and all commits after it for never made."""
    rng, events = random.Random(3), read(cut)
    frames = os.path.getsize(cut / "journal.db-wal") // FRAME
    assert frames > 100
    for frame in range(0, frames - 4, 2):  # the last commit alone may be one that its writer's death cut off
        folder = tmp_path / f"flipped-{frame}"
        shutil.copytree(cut, folder)
        flip(folder / "journal.db-wal", 32 + frame * FRAME + rng.randrange(FRAME), rng.randrange(1, 256))
        assert outcome(folder, events) == [False] * 3
        mended(folder, events)
        shutil.rmtree(folder)


def mended(folder, events):
    """After a repair the journal is a beginning of what it was."""
    try:
        done = repair(str(folder))
    except mt.RunError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert "nothing of the journal" in said
        return
    found = read(folder)
    assert found == events[: done.saved]
    assert done.lost in (None, len(events) - done.saved)
    assert (done.kept is None) <= (found == events)


@pytest.mark.parametrize("at", range(0, 32, 3))
def test_a_damaged_head_of_the_log_is_noticed(at, cut):
    events = read(cut)
    flip(cut / "journal.db-wal", at)
    assert outcome(cut, events) == [False] * 3
    done = repair(str(cut))
    assert (done.saved, done.lost, read(cut)) == (len(events), 0, events)


@pytest.mark.parametrize("size", [0, 1, 50, 99, 512, PAGE, 5000, 10 * PAGE, 20000, 40 * PAGE, -PAGE, -1])
def test_a_truncated_journal_is_one_clear_error_and_saved_as_far_as_it_goes(size, closed, restored):
    events, whole = read(closed), os.path.getsize(closed / "journal.db")
    assert whole > 41 * PAGE
    os.truncate(closed / "journal.db", size if size >= 0 else whole + size)
    assert outcome(closed, events) == [False] * 3 or (size == -1 and outcome(closed, events)[-1] is False)
    if 0 <= size <= 5000:
        with pytest.raises(mt.RunError, match=r"nothing of the journal .* can be saved: .* It was left as it is"):
            repair(str(closed))
        assert os.path.getsize(closed / "journal.db") == size
        return
    done = repair(str(closed))
    assert done.saved > (10 if size > 0 else 300)
    assert read(closed) == events[: done.saved]
    results = restored(train, folder=closed).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 40


def test_the_header_of_the_file_is_made_again(closed):
    events = read(closed)
    with open(closed / "journal.db", "r+b") as file:
        file.write(bytes(PAGE))
    assert outcome(closed, events) == [False] * 3
    assert repair(str(closed)).saved == len(events)
    assert read(closed) == events


@pytest.mark.parametrize("ending", ["-shm", "-wal"])
def test_what_belongs_to_the_log_may_be_empty_or_missing(ending, cut, closed, tmp_path):
    events = read(closed)
    for content in (None, b"", b"garbage" * 9):
        folder = tmp_path / f"{ending}-{content and len(content)}"
        shutil.copytree(closed, folder)
        for name in ("journal.db-wal", "journal.db-shm"):
            (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / f"journal.db{ending}").write_bytes(content)
        assert outcome(folder, events) == [True] * 3
    events = read(cut)
    (cut / "journal.db-shm").unlink()
    assert outcome(cut, events) == [True] * 3


def test_a_log_that_was_left_behind_is_told_of(tuner, opened, killed, restored, caplog):
    run = opened(tuner(train, num_samples=40))
    for _ in range(20):
        run.step()
    run._kernel.journal._db.execute("PRAGMA wal_checkpoint")
    for _ in range(20):
        run.step()
    image = killed(run)
    (image / "journal.db-wal").unlink()
    assert len(restored(train, folder=image).fit()) == 40
    assert "did not end in order, and there is no journal.db-wal: if the folder was copied without" in caplog.text


def test_after_a_repair_the_run_goes_on(closed, restored):
    events = read(closed)
    number = next(event.seq for event in events if event.kind == "result" and event.trial == "00020")
    db = sqlite3.connect(closed / "journal.db")
    db.execute("UPDATE events SET body = replace(body, '0', '1') WHERE seq = ?", (number,))
    db.commit()
    db.close()
    done = repair(str(closed))
    assert (done.saved, done.lost) == (number - 1, len(events) - number + 1)
    assert done.why == f"event {number} is not what was written down"
    assert done.kept == f"{closed}/journal.db.damaged"
    assert read(closed) == events[: number - 1]
    logger = FakeLogger()
    results = restored(train, loggers=[logger]).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 40
    assert [event.seq for event in logger.events] == list(range(1, len(read(closed)) + 1)), "it hears everything anew"
    os.mkdir(closed / "old")
    shutil.copyfile(done.kept, closed / "old" / "journal.db")
    with pytest.raises(mt.RunError, match=f"event {number} is not"):
        read(closed / "old")


def test_a_checkpoint_without_its_result_is_not_saved(tuner, tmp_path):
    def saves(config):
        folder = mt.checkpoint_dir()
        mt.report(loss=1.0, checkpoint=folder)

    tuner(saves).fit()
    folder = tmp_path / "run"
    events = read(folder)
    assert [event.kind for event in events[3:5]] == ["checkpoint", "result"]
    db = sqlite3.connect(folder / "journal.db")
    db.execute("UPDATE events SET at = at + 1 WHERE seq = 5")
    db.commit()
    db.close()
    done = repair(str(folder))
    assert (done.saved, done.lost) == (3, len(events) - 3)


def test_each_damaged_journal_is_kept(closed):
    kept = []
    for _ in range(2):
        db = sqlite3.connect(closed / "journal.db")
        (last,) = db.execute("SELECT max(seq) FROM events").fetchone()
        db.execute("UPDATE events SET at = at + 1 WHERE seq = ?", (last,))
        db.commit()
        db.close()
        kept.append(repair(str(closed)).kept)
    assert kept == [f"{closed}/journal.db.damaged", f"{closed}/journal.db.damaged-2"]
    assert all(map(os.path.exists, kept))


def test_a_sound_journal_is_left_alone(closed, cut, capsys):
    for folder in (closed, cut):
        events = read(folder)
        done = repair(str(folder))
        assert (done.saved, done.lost, done.kept) == (len(events), 0, None)
        assert read(folder) == events
        assert main(["repair", str(folder)]) == 0
        assert f"is sound, all {len(events)} events of it: nothing was changed" in capsys.readouterr().out
        assert not [name for name in os.listdir(folder) if "damaged" in name or "repair" in name]


def test_nobody_repairs_what_somebody_writes(tuner, opened):
    run = opened(tuner(train))
    with pytest.raises(mt.RunError, match=f"process {os.getpid()} on .* is writing to the run"):
        repair(run.facts.path)


def test_a_newer_journal_is_not_repaired_but_a_damaged_number_is(closed):
    events = read(closed)
    set_version(closed, VERSION + 1)
    with pytest.raises(mt.RunError, match=rf"version {VERSION + 1}, .* upgrade .* the number is damaged: `microtune repair"):
        read(closed)
    assert (repair(str(closed)).lost, read(closed)) == (0, events)
    newer = Journal(str(closed / "newer"), create=True)
    newer.append(events[0]._replace(body={**events[0].body, "version": VERSION + 1, "kernel": "9.9"}))
    newer.commit()
    newer.close()
    set_version(closed / "newer", VERSION + 1)
    with pytest.raises(mt.RunError, match=r"written by a newer microtune, 9\.9: upgrade microtune-kernel, then repair"):
        repair(str(closed / "newer"))


def set_version(folder, number):
    db = sqlite3.connect(folder / "journal.db")
    db.execute("UPDATE meta SET value = ?", (str(number),))
    db.commit()
    db.close()


def test_the_command_says_what_was_saved_and_how_to_go_on(closed, capsys):
    (closed / "events.jsonl").touch()
    assert beside(str(closed)) == ["events.jsonl"]
    os.truncate(closed / "journal.db", 30 * PAGE)
    assert main(["show", str(closed)]) == 1
    assert f"`microtune repair {closed}` saves every event before the damage" in capsys.readouterr().err
    assert main(["repair", str(closed)]) == 0
    said = capsys.readouterr().out
    for words in (
        "damage  database disk image is malformed", "events: ", " completed", "cannot be told",
        "journal.db.damaged, the damaged journal",
        "The resume removes the checkpoints of lost events",
        "and they are written anew: events.jsonl",
        f"Go on with `microtune resume {closed}`",
    ):  # fmt: skip
        assert words in said
    assert main(["show", str(closed)]) == 0


def test_there_is_nothing_to_repair_where_there_is_no_run(tmp_path, capsys):
    assert main(["repair", str(tmp_path)]) == 1
    assert "there is no run" in capsys.readouterr().err


def test_a_searcher_learns_nothing_from_a_damaged_run(closed, tuner):
    flip(closed / "journal.db", 20 * PAGE + 500)
    with pytest.raises(mt.OptionError, match=r"warm_start: the journal .* is damaged: .*`microtune repair"):
        tuner(train, name="new", searcher=FakeSearcher(), warm_start=[closed]).fit()
