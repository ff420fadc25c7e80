"""What becomes of the trials of a run that is gone on with, when the space is another one or the failed ones are retried."""

from __future__ import annotations

import shutil

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher

CONFIGS = [{"x": x / 10} for x in (1, 3, 5, 7, 9)]
broken = {"yes"}  # or empty


@pytest.fixture(autouse=True)
def broken_at_first():
    broken.add("yes")


def fix():
    broken.clear()


def fragile(config):
    """Fails at its third step where x is 0.3 or 0.7, until somebody fixes it."""
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, 5):
        if broken and step == 3 and config["x"] in (0.3, 0.7):
            raise ValueError("broken")
        folder = mt.checkpoint_dir()
        (folder / "step").write_text(str(step))
        mt.report(loss=config["x"] / step, checkpoint=folder)


def failed_run(tuner, **more):
    return tuner(fragile, num_samples=5, searcher=FakeSearcher(configs=CONFIGS), **more).fit()


def states(results):
    return [trial.state for trial in results]


def steps(trial):
    return [row["training_iteration"] for row in trial.history]


# --- retry_failed ----------------------------------------------------------------------------------------------------


def test_failed_trials_stay_as_they_are(tuner, restored):
    assert states(failed_run(tuner)) == ["COMPLETED", "FAILED", "COMPLETED", "FAILED", "COMPLETED"]
    fix()
    assert states(restored(fragile).fit()) == ["COMPLETED", "FAILED", "COMPLETED", "FAILED", "COMPLETED"]


def test_a_failed_trial_that_is_retried_is_a_new_one_with_its_config_from_its_last_checkpoint(tuner, restored, journalled):
    before = [(trial.state, trial.history) for trial in failed_run(tuner)]
    fix()
    results = restored(fragile, retry_failed=True).fit()
    assert [(trial.state, trial.history) for trial in results][:5] == before
    assert [(trial.state, trial.config["x"], steps(trial)) for trial in results][5:] == [
        ("COMPLETED", 0.3, [3, 4]), ("COMPLETED", 0.7, [3, 4]),
    ]  # fmt: skip
    created = journalled("created")[5:]
    assert [event.body["retries"] for event in created] == ["00001", "00003"]
    assert [event.body["iteration"] for event in created] == [2, 2]
    assert journalled("changed")[-1].body["retry_failed"] is True


def test_a_trial_is_retried_once_for_each_time_that_it_is_asked_for(tuner, restored):
    failed_run(tuner)
    assert states(restored(fragile, retry_failed=True).fit())[5:] == ["FAILED", "FAILED"]
    assert len(restored(fragile).fit()) == 7
    fix()
    assert states(restored(fragile, retry_failed=True).fit())[5:] == ["FAILED", "FAILED", "COMPLETED", "COMPLETED"]
    assert len(restored(fragile, retry_failed=True).fit()) == 9, "nothing is left to retry"


def test_retried_trials_do_not_count_in_num_samples(tuner, restored):
    failed_run(tuner)
    fix()
    results = restored(fragile, searcher=FakeSearcher(), retry_failed=True, num_samples=6).fit()
    assert states(results)[5:] == ["COMPLETED"] * 3
    assert [trial.config["x"] in (0.3, 0.7) for trial in results][5:] == [True, True, False]
    assert len(restored(fragile, num_samples=6).fit()) == 8


def test_the_searcher_hears_of_a_retried_trial_as_of_one_that_is_not_its_own(tuner, restored):
    class Curious(FakeSearcher):
        @mt.hookimpl
        def on_start(self, run, trial):
            tokens[trial.id] = trial.token
            super().on_start(run, trial)

    tokens = {}
    failed_run(tuner)
    fix()
    restored(fragile, searcher=Curious(configs=CONFIGS), retry_failed=True).fit()
    assert tokens["00005"] is None
    assert tokens["00006"] is None


def test_a_trial_that_failed_before_its_first_checkpoint_is_retried_from_the_beginning(tuner, restored):
    def never(config):
        if broken:
            raise ValueError("broken")
        mt.report(loss=1.0)

    tuner(never, searcher=FakeSearcher(configs=CONFIGS)).fit()
    fix()
    results = restored(never, retry_failed=True).fit()
    assert (states(results), steps(results[1])) == (["FAILED", "COMPLETED"], [1])


def test_a_retried_trial_whose_checkpoint_is_gone_begins_anew(tuner, restored, caplog, journalled):
    results = failed_run(tuner)
    shutil.rmtree(f"{results[1].folder}/checkpoints")
    fix()
    again = restored(fragile, retry_failed=True).fit()
    reported = [event.body for event in journalled("result") if event.trial == "00005"]
    assert [(body["iteration"], "repeat" in body) for body in reported] == [(1, True), (2, True), (3, False), (4, False)]
    assert steps(again[5]) == [3, 4], "the steps before are those of the trial that failed"
    assert "is gone; it goes on from the beginning" in caplog.text


def test_a_run_that_was_killed_after_a_retry_goes_on_with_it(tuner, restored, opened, killed):
    failed_run(tuner)
    fix()
    run = opened(restored(fragile, retry_failed=True))
    image = killed(run)
    assert states(restored(fragile, folder=image).fit())[5:] == ["COMPLETED"] * 2


def test_a_trial_that_was_resumed_with_another_config_is_retried_with_that(tuner, restored):
    def decide(trial, result):
        return mt.Pause("once") if trial.starts == 1 else None

    paused = ["00000"]
    scheduler = FakeScheduler(
        decide=decide, suggest=lambda run: mt.Resume(paused.pop(), config={"x": 0.7}) if run.now and paused else None
    )
    tuner(fragile, searcher=FakeSearcher(configs=CONFIGS), scheduler=scheduler).fit()
    fix()
    results = restored(fragile, scheduler=FakeScheduler(decide=lambda trial, result: None), retry_failed=True).fit()
    assert [(trial.state, trial.config["x"]) for trial in results] == [("FAILED", 0.7), ("COMPLETED", 0.7)]


# --- another space ---------------------------------------------------------------------------------------------------


def paused_at(*numbers):
    return FakeScheduler(decide=lambda trial, result: mt.Pause("rung") if trial.number in numbers else None)


def test_a_trial_that_is_not_over_and_lies_outside_of_the_new_space_is_stopped(tuner, restored, journalled):
    fix()
    failed_run(tuner, scheduler=paused_at(0, 4))
    searcher = FakeSearcher()
    results = restored(
        fragile, searcher=searcher, scheduler=paused_at(0, 4), param_space={"x": mt.uniform(0, 0.5)}, num_samples=6
    ).fit()
    assert states(results) == ["PAUSED", "COMPLETED", "COMPLETED", "COMPLETED", "STOPPED", "COMPLETED"]
    assert results[4].reason == "outside the new space"
    assert steps(results[4]) == [1], "what it reported stays"
    assert ("end", "00004", "STOPPED") in searcher.told
    assert results[5].config["x"] <= 0.5
    assert "param_space" in journalled("changed")[-1].body["settings"]


def test_an_interrupted_trial_is_stopped_as_well(tuner, restored):
    fix()
    tuner(fragile, num_samples=5, searcher=FakeSearcher(configs=CONFIGS[::-1]), time_budget_s=2.5).fit()
    results = restored(fragile, param_space={"x": mt.uniform(0, 0.5)}, time_budget_s=None, num_samples=5).fit()
    assert results[0].reason == "outside the new space"
    assert states(results)[1:] == ["COMPLETED"] * 4


def test_a_wider_space_ends_nobody(tuner, restored):
    fix()
    failed_run(tuner, scheduler=paused_at(0, 4))
    results = restored(fragile, scheduler=paused_at(0, 4), param_space={"x": mt.uniform(-5, 5)}).fit()
    assert states(results) == ["PAUSED", "COMPLETED", "COMPLETED", "COMPLETED", "PAUSED"]


def test_what_is_over_is_told_to_the_searcher_wherever_it_lies(tuner, restored):
    fix()
    failed_run(tuner)
    searcher = FakeSearcher()
    restored(fragile, searcher=searcher, param_space={"x": mt.uniform(0, 0.2)}).fit()
    assert [told[1] for told in searcher.told if told[0] == "end"] == [f"0000{n}" for n in range(5)]


def test_a_failed_trial_outside_of_the_new_space_is_not_retried_and_that_is_said(tuner, restored, caplog):
    failed_run(tuner)
    fix()
    results = restored(fragile, param_space={"x": mt.uniform(0, 0.5)}, retry_failed=True).fit()
    assert [trial.config["x"] for trial in results][5:] == [0.3]
    assert "the failed trial 00003 is not retried: its config lies outside the new space" in caplog.text


# --- another metric, and other loggers -------------------------------------------------------------------------------


def both(config):
    mt.report(loss=config["x"], accuracy=1 - config["x"] if config["x"] < 0.6 else float("nan"))


@pytest.mark.parametrize(("metric", "mode", "best"), [("accuracy", "max", 0.1), ("loss", "max", 0.9), ("accuracy", "min", 0.5)])
def test_another_metric_or_mode_holds_for_the_old_trials_too(metric, mode, best, tuner, restored, journalled):
    tuner(both, num_samples=5, searcher=FakeSearcher(configs=CONFIGS)).fit()
    results = restored(both, metric=metric, mode=mode).fit()
    assert results.get_best_result().config["x"] == best
    changed = journalled("changed")[-1].body["settings"]
    assert {"metric", "mode"} & changed.keys() == {
        key for key, old, new in (("metric", "loss", metric), ("mode", "min", mode)) if old != new
    }


def test_one_logger_more_hears_everything_and_one_fewer_nothing_more(tuner, restored, journalled):
    first, second = FakeLogger(), FakeLogger()

    class Other(FakeLogger):
        pass

    tuner(both, num_samples=2, loggers=[first]).fit()
    had = len(first.events)
    other = Other()
    restored(both, num_samples=3, loggers=[second, other]).fit()
    assert len(other.events) == len(journalled())
    assert second.events[0].seq == had + 1
    restored(both, num_samples=4, loggers=[]).fit()
    assert "loggers" in journalled("changed")[-1].body["settings"]


def test_the_command_retries_what_failed(tmp_path, capsys, monkeypatch):
    from microtune.cli import main

    (tmp_path / "sometimes.py").write_text(
        "import os\n"
        "def train(config):\n"
        "    if not os.path.exists('fixed'):\n"
        "        raise ValueError('broken')\n"
        "    return {'loss': 1.0}\n"
    )
    monkeypatch.chdir(tmp_path)
    fakes = ["--searcher", "microtune.testing.FakeSearcher", "--executor", "microtune.testing.FakeExecutor"]
    objective = ["--metric", "loss", "--mode", "min", "--logger", "none"]
    tune = ["run", "sometimes:train", "--space", "x=uniform(0, 1)", *objective, *fakes]
    assert main([*tune, "--name", "run", "--storage-path", "."]) == 1
    (tmp_path / "fixed").touch()
    assert main(["resume", "run", "--retry-failed"]) == 0
    assert states(mt.ResultGrid(tmp_path / "run")) == ["FAILED", "COMPLETED"]
    assert main(["resume", "run", "--num-samples", "1", "--time-budget", "none", "--stop", "none"]) == 0
    capsys.readouterr()


def test_executors_are_changed_between_sessions(tuner, restored, journalled):
    tuner(both, num_samples=2).fit()
    results = restored(both, num_samples=4, executor=FakeExecutor(workers=2)).fit()
    assert states(results) == ["COMPLETED"] * 4
    plugins = journalled("changed")[-1].body["settings"]["plugins"]
    assert [p["role"] for p in plugins] == ["searcher", "executor"]
