"""recover: what a resumed run makes of the checkpoints that it finds."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

import microtune as mt
from microtune import remote
from microtune.testing import FakeScheduler, FakeSearcher, ScriptedExecutor


def curve(*losses):
    """Reports these losses, each with a checkpoint."""

    def train(config):
        start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
        for step in range(start, len(losses)):
            with mt.checkpoint_dir() as folder:
                (folder / "step").write_text(str(step + 1))
                mt.report(loss=losses[step], checkpoint=folder)

    return train


def kept(trial):
    """The iterations of the checkpoints that are there, on disk and in the results."""
    on_disk = sorted(os.listdir(os.path.join(trial.folder, "checkpoints")))
    assert sorted(os.path.basename(path) for path in trial.checkpoints.values()) == on_disk
    return sorted(int(name.split("-")[0]) for name in on_disk)

def folder_of(tmp_path, trial_id, name):
    path = Path(tmp_path, "run", "trials", trial_id, "checkpoints", name)
    path.mkdir(parents=True)
    return str(path)


# --- in the folder of the run ---------------------------------------------------------------------------------------


def test_folders_that_the_journal_does_not_know_are_removed_by_a_resume(tuner, restored, opened, tmp_path):
    run = opened(tuner(curve(3, 2, 1)))
    while run.counts["COMPLETED"] == 0:
        run.step()
    run.close()
    stray, draft = folder_of(tmp_path, "00000", "9-1"), folder_of(tmp_path, "00000", ".draft-1-4-0")
    results = restored(curve(3, 2, 1)).fit()
    assert not os.path.exists(stray)
    assert not os.path.exists(draft)
    assert kept(results[0]) == [1, 2, 3]


@pytest.mark.parametrize(("gone", "start"), [(["3-1"], 2), (["3-1", "2-1"], 1), (["3-1", "2-1", "1-1"], 0)])
def test_a_committed_checkpoint_that_is_missing_falls_back_to_the_one_before(
    gone, start, scripted, restored, opened, killed, tmp_path, journalled, caplog
):
    run, executor = scripted()
    for iteration in (1, 2, 3):
        path = folder_of(tmp_path, "00000", f"{iteration}-1")
        executor.reports("00000", iteration, loss=1.0, checkpoint=path)
        run.step()
    image = killed(run)
    checkpoints = image / "trials" / "00000" / "checkpoints"
    for name in gone:
        (checkpoints / name).rmdir()
    again, searcher = ScriptedExecutor(), FakeSearcher()
    run = opened(restored(folder=image, executor=again, searcher=searcher))
    run.step()
    assert again.launched[0].checkpoint == (str(checkpoints / f"{start}-1") if start else None)
    assert "its checkpoint" in caplog.text
    assert "is gone; it goes on from" in caplog.text
    for iteration in range(start + 1, 5):
        again.reports("00000", iteration, loss=1.0)
        run.step()
    assert [told[2] for told in searcher.told if told[0] == "result"] == [1, 2, 3, 4]  # what was heard is not heard again


def test_a_run_that_was_moved_finds_its_checkpoints(scripted, restored, opened, killed, tmp_path):
    run, executor = scripted()
    executor.reports("00000", 1, loss=1.0, checkpoint=folder_of(tmp_path, "00000", "1-1"))
    run.step()
    image = killed(run)
    run.close()
    os.rename(run.facts.path, tmp_path / "elsewhere")
    again = ScriptedExecutor()
    run = opened(restored(folder=image, executor=again))
    run.step()
    here = str(image / "trials" / "00000" / "checkpoints" / "1-1")
    assert again.launched[0].checkpoint == here
    assert os.path.isdir(here)
    assert mt.ResultGrid(image)[0].checkpoint == here


def test_a_checkpoint_of_a_trial_that_was_stopped_survives_a_resume(scripted, restored, killed, opened, tmp_path):
    run, executor = scripted(scheduler=FakeScheduler(decide=lambda trial, result: mt.Stop("enough")), num_samples=2)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    executor.exits("00000", checkpoint=folder_of(tmp_path, "00000", "1-1"), iteration=1)
    executor.reports("00001", 1, loss=1.0)
    run.step()
    image = killed(run)
    opened(restored(folder=image, scheduler=FakeScheduler())).step()
    assert os.path.isdir(mt.ResultGrid(image)[0].checkpoint)


# --- on a URL --------------------------------------------------------------------------------------------------------


def put(url, text="state"):
    """A checkpoint there."""
    with fsspec.open(f"{url}/step", "w") as file:
        file.write(text)
    return url


def url_of(store, name, trial_id="00000"):
    return f"{store}/run/trials/{trial_id}/checkpoints/{name}"


@pytest.fixture
def left(scripted, killed, store):
    """A run with three checkpoints on its URL that was killed: its folder."""
    run, executor = scripted(storage_path=store)
    for iteration in (1, 2, 3):
        executor.reports("00000", iteration, loss=1.0, checkpoint=put(url_of(store, f"{iteration}-1")))
        run.step()
    return killed(run)


def test_what_the_journal_does_not_know_is_removed_from_the_url(left, restored, opened, store):
    for trial_id, name in (("00000", "4-1"), ("00000", "1-10"), ("00007", "1-1")):
        put(url_of(store, name, trial_id))
    stranger = put(f"{store}/another/trials/00000/checkpoints/9-1")
    opened(restored(folder=left, executor=ScriptedExecutor()))
    assert remote.checkpoints(f"{store}/run") == {url_of(store, f"{n}-1") for n in (1, 2, 3)}
    assert remote.checkpoints(f"{store}/another") == {stranger}


@pytest.mark.parametrize(("gone", "start"), [((), 3), ((3,), 2), ((3, 2), 1), ((3, 2, 1), 0)])
def test_a_committed_checkpoint_that_the_url_lacks_falls_back_to_the_one_before(
    gone, start, left, restored, opened, store, caplog
):
    for iteration in gone:
        remote.remove(url_of(store, f"{iteration}-1"))
    executor = ScriptedExecutor()
    opened(restored(folder=left, executor=executor)).step()
    assert executor.launched[0].checkpoint == (url_of(store, f"{start}-1") if start else None)
    assert ("is gone; it goes on from" in caplog.text) == bool(gone)


def test_a_url_is_listed_once_however_many_trials_there_are(scripted, restored, killed, opened, store, monkeypatch):
    run, executor = scripted(storage_path=store, num_samples=20, slots=20)
    for number in range(20):
        executor.reports(f"{number:05d}", 1, loss=1.0, checkpoint=put(url_of(store, "1-1", f"{number:05d}")))
    run.step()
    memory, listed = type(fsspec.filesystem("memory")), []
    find = memory.find
    monkeypatch.setattr(memory, "find", lambda self, *given, **more: listed.append(given) or find(self, *given, **more))
    opened(restored(folder=killed(run), executor=ScriptedExecutor()))
    assert listed == [("/bucket/tune/run/trials",)]


def test_a_checkpoint_on_somebody_elses_url_is_taken_to_be_there(scripted, restored, killed, opened):
    donor = "s3://elsewhere/trials/00000/checkpoints/7-1"
    starts = [mt.Start({"x": 0.5}, checkpoint=donor)]
    run, _ = scripted(scheduler=FakeScheduler(suggest=lambda run: starts.pop() if starts else None))
    executor = ScriptedExecutor()
    opened(restored(folder=killed(run), executor=executor, scheduler=FakeScheduler())).step()
    assert executor.launched[0].checkpoint == donor


def test_a_run_whose_url_has_become_another_runs_is_not_gone_on_with(left, restored, store):
    fsspec.filesystem("memory").pipe_file("/bucket/tune/run/run.json", b'{"id": "other", "path": "/elsewhere/run"}')
    with pytest.raises(mt.RunError, match="another run's by now, that in '/elsewhere/run'"):
        restored(folder=left).fit()
    assert len(remote.checkpoints(f"{store}/run")) == 3


def test_a_failed_trial_is_retried_from_its_checkpoint_on_the_url(tuner, restored, store):
    def train(config):
        folder = mt.get_checkpoint()
        first = int((folder / "step").read_text()) if folder else 0
        for step in range(first + 1, 4):
            if step == 3 and mt.get_context().number == 0:
                raise ValueError("broken on purpose")
            with mt.checkpoint_dir() as draft:
                (draft / "step").write_text(str(step))
            mt.report(loss=1.0, first=first, checkpoint=draft)

    tuner(train, storage_path=store).fit()
    failed, retried = restored(train, retry_failed=True).fit()
    assert (failed.state, retried.state, retried.metrics["first"]) == ("FAILED", "COMPLETED", 2)
    assert retried.checkpoint == url_of(store, "3-1", "00001")
