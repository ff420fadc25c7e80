"""One trial, as the journal tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher


def tuner(trainable, path=":memory:", *, trials=(0,), **more):
    """One trial for each of these values of `x`."""
    given = {
        "metric": "loss", "mode": "min", "num_samples": len(trials), "executor": FakeExecutor(), "loggers": (), "seed": 1,
        "searcher": FakeSearcher(configs=[{"x": x} for x in trials]), "storage_path": path, "name": "run",
    }  # fmt: skip
    return mt.Tuner(trainable, param_space={"x": mt.uniform(-100, 100)}, **{**given, **more})


def curves(*rows, **more):
    """The results of a run of which each trial reports the losses of one row."""

    def train(config):
        for loss in rows[int(config["x"])]:
            mt.report({"loss": loss} if not isinstance(loss, dict) else loss)

    return tuner(train, trials=range(len(rows)), **more).fit()


def saving(config):
    """Reports x, x + 1, x + 2 with a checkpoint that says so."""
    for i in range(3):
        with mt.checkpoint_dir() as folder:
            (folder / "loss").write_text(str(config["x"] + i))
            mt.report(loss=config["x"] + i, checkpoint=folder)


def said(checkpoint):
    return float((Path(checkpoint) / "loss").read_text())


# --- a trial ---------------------------------------------------------------------------------------------------------


def test_a_trial_has_its_config_its_last_metrics_and_how_it_ended():
    (trial,) = tuner(lambda config: mt.report(loss=config["x"], other={"deep": 1}), trials=[3]).fit()
    assert (trial.id, trial.number, trial.config) == ("00000", 0, {"x": 3})
    assert trial.metrics == {"loss": 3, "other": {"deep": 1}, "training_iteration": 1, "time_total_s": 1.0}
    assert (trial.state, trial.reason, trial.error, trial.checkpoint) == ("COMPLETED", "completed", None, None)
    assert trial.folder.endswith("run/trials/00000")
    assert "COMPLETED" in repr(trial)
    assert "'loss': 3" in repr(trial)


def test_a_trial_is_finished_if_it_had_all_of_its_training(tmp_path):
    def train(config):
        for step in range(1, 4):
            if config["x"] == 9:
                raise ValueError
            mt.report(loss=config["x"] * step)

    cut = FakeScheduler(decide=lambda trial, result: mt.Stop("its rung") if trial.config["x"] == 3 else None)
    grid = tuner(train, trials=[1, 2, 3, 9], stop="loss >= 4", scheduler=cut).fit()
    known = [("COMPLETED", True), ("STOPPED", True), ("STOPPED", False), ("FAILED", False)]
    assert [(trial.state, trial.finished) for trial in grid] == known
    again = mt.record_run(
        tmp_path / "again", metric="loss", mode="min", source="a test",
        trials=[mt.PastTrial(t.config, t.state, finished=t.finished) for t in grid],
    )  # fmt: skip
    assert [(trial.state, trial.finished) for trial in again] == known


def test_the_history_has_every_result_in_order():
    (trial,) = curves([3, 1, 2])
    assert [(row["loss"], row["training_iteration"], row["time_total_s"]) for row in trial.history] == [
        (3, 1, 1.0), (1, 2, 2.0), (2, 3, 3.0),
    ]  # fmt: skip


def test_a_repeat_after_a_retry_is_in_no_history():
    attempts = []

    def train(config):
        attempts.append(1)
        for i in range(3):
            mt.report(loss=i, attempt=len(attempts))
            if i == 1 and len(attempts) == 1:
                raise ValueError("once")

    (trial,) = tuner(train, max_failures=1).fit()
    assert [(row["loss"], row["attempt"]) for row in trial.history] == [(0, 1), (1, 1), (2, 2)]


def test_a_repeat_is_not_the_last_result_either():
    attempts = []

    def train(config):
        attempts.append(1)
        mt.report(loss=len(attempts))
        if len(attempts) == 1:
            mt.report(loss=0)
            raise ValueError("once")

    (trial,) = tuner(train, max_failures=1).fit()
    assert (trial.state, trial.metrics["loss"], trial.metrics["training_iteration"]) == ("COMPLETED", 0, 2)


def test_the_checkpoint_is_that_of_the_step_of_the_metrics(tmp_path):
    (trial,) = tuner(saving, tmp_path, trials=[5]).fit()
    assert trial.metrics["loss"] == said(trial.checkpoint) == 7


def test_a_last_result_without_a_checkpoint_has_none():
    def train(config):
        mt.report(loss=1, checkpoint=mt.checkpoint_dir())
        mt.report(loss=2)

    (trial,) = tuner(train).fit()
    assert trial.checkpoint is None
    assert trial.best_checkpoint().endswith("1-1")


@pytest.mark.parametrize(
    ("question", "loss"), [((), 5), (("loss",), 5), (("loss", "max"), 7), (("training_iteration", "max"), 7)]
)
def test_the_best_checkpoint_is_that_of_the_best_step(tmp_path, question, loss):
    (trial,) = tuner(saving, tmp_path, trials=[5]).fit()
    assert said(trial.best_checkpoint(*question)) == loss


def test_deleted_checkpoints_are_not_offered(tmp_path):
    (trial,) = tuner(saving, tmp_path, trials=[5], checkpoints={"keep": 1}).fit()
    assert said(trial.best_checkpoint()) == 7
    assert list(trial.checkpoints) == [3]


def test_a_trial_without_checkpoints_has_no_best_one():
    assert curves([1])[0].best_checkpoint() is None


def test_a_trial_that_was_exploited_offers_checkpoints_of_its_new_line_only(tmp_path):
    """It reports 3, 2, 1 with a checkpoint each, is sent back to its first one, and reports 9 and 8 without any."""

    def train(config):
        start = int((mt.get_checkpoint() / "i").read_text()) if mt.get_checkpoint() else 0
        for i in range(start, 3):
            if start:
                mt.report(loss=10 - i)
                continue
            folder = mt.checkpoint_dir()
            (folder / "i").write_text(str(i + 1))
            mt.report(loss=3 - i, checkpoint=folder)

    def suggest(run):
        donor = Path(run.path, "trials", "00000", "checkpoints", "1-1")
        return mt.Resume("00000", checkpoint=str(donor)) if started and not resumed.append(1) else None

    started, resumed = [], []

    def decide(trial, result):
        started[:] = [1] if result.training_iteration == 3 and trial.starts == 1 else []
        return mt.Pause("exploit") if started else None

    (trial,) = tuner(train, tmp_path, scheduler=FakeScheduler(decide=decide, suggest=suggest)).fit()
    assert [(row["training_iteration"], row["loss"]) for row in trial.history] == [(1, 3), (2, 2), (3, 1), (2, 9), (3, 8)]
    assert trial.checkpoint is None
    assert trial.best_checkpoint().endswith("1-1")
