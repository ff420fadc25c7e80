"""checkpoint: which ones are kept, and when those that are not are deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeScheduler


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


class Sweeper(FakeScheduler):
    """Wants these deleted."""

    def __init__(self, *paths):
        super().__init__()
        self.paths = paths

    @mt.hookimpl
    def checkpoint(self, checkpoint):
        return list(self.paths)


# --- the kernel's own policy -----------------------------------------------------------------------------------------


def test_all_are_kept_unless_a_number_is_given(tuner):
    assert kept(tuner(curve(3, 2, 1)).fit()[0]) == [1, 2, 3]


def test_the_last_ones_are_kept(tuner):
    assert kept(tuner(curve(1, 2, 3, 4), checkpoints={"keep": 2}).fit()[0]) == [3, 4]


@pytest.mark.parametrize(("mode", "iterations"), [("min", [2, 3, 5]), ("max", [1, 4, 5])])
def test_the_best_ones_by_a_metric_are_kept_and_the_latest(mode, iterations, tuner):
    keep = {"keep": 2, "metric": "loss", "mode": mode}
    trial = tuner(curve(0.9, 0.1, 0.2, 0.8, 0.5), checkpoints=keep).fit()[0]
    assert kept(trial) == iterations
    assert trial.checkpoint == trial.checkpoints[5]


def test_among_equals_the_later_one_is_kept(tuner):
    keep = {"keep": 1, "metric": "loss", "mode": "min"}
    assert kept(tuner(curve(0.5, 0.5, 0.5, 0.9), checkpoints=keep).fit()[0]) == [3, 4]


def test_a_checkpoint_whose_metric_is_nan_or_missing_is_the_first_to_go(tuner):
    def train(config):
        for step, metrics in enumerate([{"loss": 0.5}, {"loss": float("nan")}, {"other": 1}, {"loss": 0.9}]):
            folder = mt.checkpoint_dir()
            (folder / "step").write_text(str(step))
            mt.report(metrics, checkpoint=folder)

    assert kept(tuner(train, checkpoints={"keep": 2, "metric": "loss", "mode": "max"}).fit()[0]) == [1, 4]


def test_a_checkpoint_that_comes_with_the_trials_exit_replaces_others_too(scripted, journalled, tmp_path):
    run, executor = scripted(checkpoints={"keep": 1})
    for iteration in (1, 2):
        executor.reports("00000", iteration, loss=1.0, checkpoint=folder_of(tmp_path, "00000", f"{iteration}-1"))
    executor.exits("00000", checkpoint=folder_of(tmp_path, "00000", "3-1"), iteration=3)
    run.step()
    assert kept(mt.ResultGrid(run.facts.path)[0]) == [3]
    assert len(journalled("deleted")) == 2


def test_the_latest_is_kept_too_where_its_trial_ends_at_once(scripted, tmp_path):
    run, executor = scripted(checkpoints={"keep": 1, "metric": "loss", "mode": "min"})
    for iteration, loss in ((1, 0.1), (2, 0.9)):
        executor.reports("00000", iteration, loss=loss, checkpoint=folder_of(tmp_path, "00000", f"{iteration}-1"))
    executor.exits("00000")
    run.step()
    assert kept(mt.ResultGrid(run.facts.path)[0]) == [1, 2]


def test_a_repeats_checkpoint_has_its_metrics_rank(scripted, tmp_path):
    run, executor = scripted(checkpoints={"keep": 1, "metric": "loss", "mode": "min"}, max_failures=1)
    executor.reports("00000", 1, loss=0.1)
    run.step()
    executor.exits("00000", "error")
    run.step()
    for iteration, loss in ((1, 0.1), (2, 0.7), (3, 0.8)):
        executor.reports("00000", iteration, loss=loss, checkpoint=folder_of(tmp_path, "00000", f"{iteration}-2"))
        run.step()
    assert kept(mt.ResultGrid(run.facts.path)[0]) == [1, 3]


# --- what is never deleted -------------------------------------------------------------------------------------------


def test_a_donors_checkpoint_stays_until_who_restores_from_it_has_one_of_its_own(scripted, tmp_path):
    given = []
    scheduler = FakeScheduler(
        decide=lambda trial, result: mt.Pause("rung") if (trial.id, result.training_iteration) == ("00001", 1) else None,
        suggest=lambda run: given.pop() if given else None,
    )
    run, executor = scripted(slots=2, num_samples=2, scheduler=scheduler, checkpoints={"keep": 1})
    donor = folder_of(tmp_path, "00000", "1-1")
    executor.reports("00000", 1, loss=0.1, checkpoint=donor)
    executor.reports("00001", 1, loss=0.9)
    given.append(mt.Resume("00001", checkpoint=donor))
    run.step()
    executor.exits("00001")
    executor.reports("00000", 2, loss=0.1, checkpoint=folder_of(tmp_path, "00000", "2-1"))
    run.step()
    assert kept(mt.ResultGrid(run.facts.path)[0]) == [1, 2]
    executor.reports("00001", 2, loss=0.1, checkpoint=folder_of(tmp_path, "00001", "2-2"))
    executor.reports("00000", 3, loss=0.1, checkpoint=folder_of(tmp_path, "00000", "3-1"))
    run.step()
    assert kept(mt.ResultGrid(run.facts.path)[0]) == [3]


def test_a_policy_that_wants_everything_deleted_loses_no_trial_its_latest(tuner):
    seen = []

    class Shredder(FakeScheduler):
        @mt.hookimpl
        def checkpoint(self, trial, checkpoint):
            seen.append(checkpoint)
            return list(seen)

    results = tuner(curve(3, 2, 1), num_samples=3, executor=FakeExecutor(workers=3), scheduler=Shredder()).fit()
    assert [kept(trial) for trial in results] == [[3], [3], [3]]


def test_a_policy_that_has_no_opinion_leaves_it_to_the_kernel(tuner):
    class Shy(FakeScheduler):
        @mt.hookimpl
        def checkpoint(self, trial, checkpoint):
            return None if trial.number else []

    results = tuner(curve(3, 2, 1), num_samples=2, scheduler=Shy(), checkpoints={"keep": 1}).fit()
    assert [kept(trial) for trial in results] == [[1, 2, 3], [3]]


def test_a_policy_that_fails_stops_the_run_with_the_result_on_disk(tuner, restored):
    class Broken(FakeScheduler):
        @mt.hookimpl
        def checkpoint(self, trial, checkpoint):
            raise OSError("shelf is full")

    with pytest.raises(mt.PluginError, match="scheduler 'Broken' failed in checkpoint for trial 00000: OSError: shelf"):
        tuner(curve(3, 2, 1), scheduler=Broken()).fit()
    assert kept(restored(curve(3, 2, 1), scheduler=FakeScheduler()).fit()[0]) == [1, 2, 3]


# --- the deletion itself ---------------------------------------------------------------------------------------------


def test_a_checkpoint_is_deleted_only_after_that_is_on_disk(tuner, opened, journalled, tmp_path):
    there = []

    class Looks(FakeExecutor):
        @mt.hookimpl
        def steer(self, run, trial, decision):
            super().steer(run, trial, decision)
            there.extend(os.path.isdir(event.body["path"]) for event in journalled("deleted"))

    tuner(curve(3, 2, 1), executor=Looks(), checkpoints={"keep": 1}).fit()
    assert there
    assert not any(there)
    assert [os.path.basename(event.body["path"]) for event in journalled("deleted")] == ["1-1", "2-1"]


def test_what_is_on_the_url_of_the_run_is_handed_to_the_executor(scripted, store):
    run, executor = scripted(checkpoints={"keep": 1}, storage_path=store)
    for iteration in (1, 2):
        executor.reports("00000", iteration, loss=1.0, checkpoint=f"{store}/run/trials/00000/checkpoints/{iteration}-1")
        run.step()
    assert executor.steered[-1] == ("00000", mt.Discard(f"{store}/run/trials/00000/checkpoints/1-1"))


@pytest.mark.parametrize(
    "sneaky", ["s3://bucket/1-1", "memory://bucket/tune/run2/trials/1-1", "memory://bucket/tune/run/trials/../../x/1-1"]
)
def test_a_url_outside_of_the_runs_own_is_never_deleted(sneaky, scripted, journalled, store):
    run, executor = scripted(scheduler=Sweeper(sneaky), storage_path=store)
    executor.reports("00000", 1, loss=1.0, checkpoint=f"{store}/run/trials/00000/checkpoints/1-1")
    run.step()
    assert journalled("deleted") == []


def test_a_run_in_a_folder_deletes_nothing_on_a_url(scripted, journalled, tmp_path):
    run, executor = scripted(scheduler=Sweeper("memory://bucket/tune/run/trials/00000/checkpoints/1-1"))
    executor.reports("00000", 1, loss=1.0, checkpoint=folder_of(tmp_path, "00000", "1-1"))
    run.step()
    assert journalled("deleted") == []


def test_a_folder_outside_the_run_is_never_deleted(scripted, journalled, tmp_path):
    outside = tmp_path / "mine"
    outside.mkdir()
    sneaky = str(tmp_path / "run" / "trials" / ".." / ".." / "mine")
    run, executor = scripted(scheduler=Sweeper(str(outside), sneaky))
    executor.reports("00000", 1, loss=1.0, checkpoint=folder_of(tmp_path, "00000", "1-1"))
    run.step()
    assert outside.is_dir()
    assert journalled("deleted") == []
