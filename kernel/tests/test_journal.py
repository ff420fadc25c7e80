"""The journal: what is written can be read, by anyone, at any time; and nothing that was committed is lost."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

import microtune as mt
from microtune.bodies import decode
from microtune.events import VERSION, Event
from microtune.journal import MEMORY, Journal, Reader
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher

HEAD = Event(1, 0.0, "opened", None, {"settings": {}})


def result(seq, **body):
    return Event(seq, float(seq), "result", "00000", {"iteration": seq, "metrics": {}, "time_total_s": 0.0, **body})


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "run")


def written(folder, *events):
    journal = Journal(folder, create=True)
    for event in events:
        journal.append(event)
    journal.commit()
    journal.close()


# --- writing and reading ---------------------------------------------------------------------------------------------


def test_what_is_committed_is_what_is_read(folder):
    events = [HEAD, *(result(seq, metrics={"text": "é\n'\"", "list": [1, None, True, 0.1]}) for seq in range(2, 40))]
    written(folder, *events)
    assert list(Reader(folder).events()) == events
    assert list(Reader(folder).events(after=35)) == events[35:]
    assert list(Reader(folder).events(kinds=("opened",))) == events[:1]
    assert list(Reader(folder).events(trial="00000", after=38)) == events[38:]
    assert Reader(folder).last("result") == events[-1]
    assert Reader(folder).last("closed") is None
    assert Reader(folder).seq() == 39


@pytest.mark.parametrize("number", [1, 2, 8, 9, 50])
def test_a_commit_is_one_transaction_whatever_its_size(number, folder):
    journal, reader = Journal(folder, create=True), Reader(folder)
    for seq in range(1, number + 1):
        journal.append(result(seq))
    assert reader.seq() == 0
    assert len(journal.commit()) == number
    assert reader.seq() == number
    assert journal.commit() == []
    journal.close()


def test_a_reader_sees_the_run_while_it_is_written(tuner, opened, journalled):
    run = opened(tuner(num_samples=3))
    seen = []
    while run.step():
        seen.append(len(journalled()))
    assert seen == sorted(set(seen))


def test_the_journal_may_be_kept_in_memory(tuner, tmp_path):
    results = tuner(storage_path=":memory:", num_samples=3).fit()
    assert len(results) == 3
    assert len(results[0].history) == 2
    assert list(tmp_path.iterdir()) == []
    assert Journal(MEMORY, create=True).commit() == []


def test_the_folder_of_a_run_in_memory_goes_with_its_process(python):
    code = """
        import os
        import microtune as mt
        from microtune.testing.fakes import FakeExecutor, FakeSearcher

        def train(config):
            with mt.checkpoint_dir() as folder:
                mt.report(loss=1.0, checkpoint=folder)

        parts = {"searcher": FakeSearcher(), "executor": FakeExecutor(), "loggers": (), "storage_path": ":memory:"}
        results = mt.Tuner(train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=1, **parts).fit()
        assert os.path.isdir(results[0].checkpoint)
        print(results[0].checkpoint)
    """
    done = python(code)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder.is_absolute()
    assert not any(each.name.startswith("microtune-") and each.exists() for each in folder.parents)


def test_a_body_that_is_not_json_is_refused_before_it_can_hurt_the_others(folder):
    journal = Journal(folder, create=True)
    journal.append(HEAD)
    with pytest.raises(mt.RunError, match=r"the event 'result' of trial 00000 cannot be written down.*set is not JSON"):
        journal.append(result(2, metrics={"a": {1, 2}}))
    journal.append(result(2))
    journal.commit()
    assert Reader(folder).seq() == 2
    journal.close()


def test_what_is_done_to_a_body_after_it_was_recorded_is_not_written(folder):
    event = result(1, metrics={"loss": 1.0})
    journal = Journal(folder, create=True)
    journal.append(event)
    event.body["metrics"]["loss"] = 9.0
    journal.commit()
    journal.close()
    assert next(Reader(folder).events()).body["metrics"] == {"loss": 1.0}


def test_paths_inside_the_run_move_with_it(folder, tmp_path):
    inside, outside = f"{folder}/trials/00000/checkpoints/1-1", str(tmp_path / "elsewhere")
    written(
        folder, result(1, checkpoint=inside), Event(2, 0.0, "deleted", "00000", {"path": inside, "instead": None}),
        result(3, checkpoint=outside), result(4, checkpoint="s3://bucket/1"),
    )  # fmt: skip
    moved = str(tmp_path / "moved")
    os.rename(folder, moved)
    first, deleted, *others = Reader(moved).events()
    assert first.body["checkpoint"] == deleted.body["path"] == f"{moved}/trials/00000/checkpoints/1-1"
    assert [event.body["checkpoint"] for event in others] == [outside, "s3://bucket/1"]


# --- the schema, which people may rely on ----------------------------------------------------------------------------


def test_the_schema_is_the_one_that_was_promised(folder):
    written(folder, HEAD)
    db = sqlite3.connect(os.path.join(folder, "journal.db"))
    names = {(kind, name) for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    assert {("table", "meta"), ("table", "events"), ("view", "trials"), ("view", "results")} <= names
    assert [row[1] for row in db.execute("PRAGMA table_info(events)")] == ["seq", "at", "kind", "trial", "body", "crc"]
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == (str(VERSION),)
    db.close()


def test_the_views_say_what_the_results_say(tuner, opened):
    """Trials in every state, one of them resumed with another config, one result repeated."""

    def train(config):
        if mt.get_context().number == 1:
            raise ValueError("never works")
        start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
        for step in range(start, 3):
            folder = mt.checkpoint_dir()
            (folder / "step").write_text(str(step + 1))
            mt.report(loss=float("nan") if step else 1.0, checkpoint=folder if step != 1 else None)
            if step == 1 and mt.get_context().number == 0 and mt.get_context().attempt == 1:
                raise ValueError("once")

    paused = {}

    class Scheduler(FakeScheduler):
        @mt.hookimpl
        def decide(self, trial, result):
            if result.training_iteration == 1 and trial.starts == 1 and trial.number in (2, 4):
                paused[trial.number] = trial.id
                return mt.Pause("rung")
            return mt.Stop("bad") if trial.number == 3 else None

        @mt.hookimpl
        def suggest(self):
            return mt.Resume(paused.pop(2), config={"x": 0.25}) if 2 in paused else None

    space = mt.Space({"x": mt.uniform(0, 1)}, constraints=[lambda config: config["x"] < 0.9])
    configs = [{"x": x} for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.95, 0.6, 0.7)]
    run = opened(
        tuner(
            train, param_space=space, searcher=FakeSearcher(configs=configs), scheduler=Scheduler(), num_samples=7,
            executor=FakeExecutor(workers=2), max_failures=1,
        )
    )  # fmt: skip
    while run.counts["COMPLETED"] < 3:
        run.step()
    grid = mt.ResultGrid(run.facts.path)
    states = {"COMPLETED", "FAILED", "STOPPED", "PAUSED", "RUNNING"}
    assert {trial.state for trial in grid} == states
    db = sqlite3.connect(os.path.join(run.facts.path, "journal.db"))
    rows = db.execute("SELECT id, number, state, reason, config FROM trials ORDER BY number").fetchall()
    assert [(*row[:4], json.loads(row[4])) for row in rows] == [
        (trial.id, trial.number, trial.state, trial.reason, trial.config) for trial in grid
    ]
    for trial in grid:
        rows = db.execute(
            "SELECT iteration, time_total_s, metrics, checkpoint IS NOT NULL FROM results WHERE trial = ? ORDER BY seq",
            (trial.id,),
        ).fetchall()
        history = [{**decode(metrics), "training_iteration": i, "time_total_s": s} for i, s, metrics, _ in rows]
        assert repr(history) == repr(trial.history)
        assert [bool(row[3]) for row in rows] == [row["training_iteration"] != 2 for row in trial.history]
    db.close()


# --- folders that will not do ----------------------------------------------------------------------------------------


def test_a_folder_that_holds_another_run_is_refused_and_not_touched(tuner, journalled):
    tuner(num_samples=2).fit()
    before = journalled()
    with pytest.raises(mt.RunError, match=r"holds another run: go on with it through Tuner\.restore"):
        tuner().fit()
    assert journalled() == before


def test_a_run_that_never_began_is_no_other_run(tuner, folder, restored):
    Journal(folder, create=True).close()
    with pytest.raises(mt.RunError, match="was ended before it began: start it anew"):
        restored()
    assert tuner().fit()[0].state == "COMPLETED"


def test_there_is_nothing_to_resume_where_there_is_no_run(restored, tmp_path):
    with pytest.raises(mt.RunError, match=r"there is no run in .*: it holds no journal.db"):
        restored(folder=tmp_path / "nowhere")


def test_a_newer_journal_is_refused(tuner, restored, folder):
    tuner().fit()
    db = sqlite3.connect(os.path.join(folder, "journal.db"))
    db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (str(VERSION + 1),))
    db.commit()
    db.close()
    with pytest.raises(mt.RunError, match=f"has version {VERSION + 1}, this microtune reads up to {VERSION}: upgrade"):
        restored()


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"", b"SQLite format 3\0" + bytes(4000)])
def test_a_file_that_is_no_journal_is_one_clear_error(content, folder, tuner, restored):
    os.makedirs(folder)
    with open(os.path.join(folder, "journal.db"), "wb") as file:
        file.write(content)
    for use in (restored, lambda: Journal(folder, create=False)):
        with pytest.raises(mt.RunError, match=r"journal\.db' is damaged: .* `microtune repair"):
            use()
    if content:  # it may be of use to somebody; an empty one is not
        with pytest.raises(mt.RunError, match="holds another run"):
            tuner().fit()
    else:
        assert len(tuner().fit()) == 1


def test_a_damaged_body_is_one_clear_error(tuner, restored, folder):
    tuner().fit()
    db = sqlite3.connect(os.path.join(folder, "journal.db"))
    db.execute("UPDATE events SET body = '{\"iteration\":' WHERE kind = 'result'")
    db.commit()
    db.close()
    with pytest.raises(mt.RunError, match=r"the journal '.*run/journal\.db' is damaged"):
        restored().fit()


# --- a full disk -----------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_clear_error_and_loses_nothing_that_was_committed(tuner, opened, restored, journalled):
    run = opened(tuner(num_samples=5000, executor=FakeExecutor(workers=8)))
    journal = run._kernel.journal
    journal._db.execute("PRAGMA wal_autocheckpoint=1")
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages + 3}")
    full = "cannot be written: database or disk is full. What was committed before is safe; make room"
    with pytest.raises(mt.RunError, match=re.escape(full)):
        any(iter(lambda: not run.step(), True))
    run.close(mt.RunError("as fit() does"))
    committed = journalled()
    assert [event.seq for event in committed] == list(range(1, len(committed) + 1))
    results = restored(num_samples=60).fit()
    assert {trial.state for trial in results} == {"COMPLETED"}
    assert journalled()[: len(committed)] == committed


def test_a_file_that_may_grow_no_further_is_the_same(python, tmp_path):
    code = f"""
        import resource, signal
        import microtune as mt
        from microtune.testing import FakeExecutor, FakeSearcher

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        tuner = mt.Tuner(
            lambda config: {{"loss": 1.0}}, param_space={{"x": mt.uniform(0, 1)}}, metric="loss", mode="min",
            num_samples=5000, searcher=FakeSearcher(), executor=FakeExecutor(workers=8), loggers=[],
            storage_path={str(tmp_path)!r}, name="run",
        )
        try:
            tuner.fit()
        except mt.RunError as error:
            print(f"RunError: {{error}}")
    """
    limited = python(code)
    assert "RunError: the journal in" in limited.stdout, limited.stderr
    assert "What was committed before is safe; make room" in limited.stdout
    assert len(mt.ResultGrid(tmp_path / "run")) > 10


def test_a_commit_that_a_signal_broke_can_be_made_again(folder):
    class Interrupts:
        """A connection whose user presses Ctrl-C amid a transaction."""

        def __init__(self, db):
            self.db, self.pressed = db, False

        def executemany(self, *arguments):
            self.db.executemany(*arguments)
            if not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt

        def __getattr__(self, name):
            return getattr(self.db, name)

    journal = Journal(folder, create=True)
    journal._db = Interrupts(journal._db)
    for seq in range(1, 21):
        journal.append(result(seq))
    with pytest.raises(KeyboardInterrupt):
        journal.commit()
    assert Reader(folder).seq() == 0
    journal.commit()
    assert Reader(folder).seq() == 20
    journal.close()
