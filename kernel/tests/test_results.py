"""Results, read from the journal when they are asked for."""

from __future__ import annotations

import builtins
import math
import re
import shutil
import sys
from pathlib import Path

import pytest

import microtune as mt
from microtune import ResultGrid
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher
from microtune.testing.dists import fake_dist


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


# --- failures --------------------------------------------------------------------------------------------------------


def fails(config):
    mt.report(loss=config["x"])
    if config["x"] == 2:
        raise ValueError("something is wrong")


def test_errors_are_the_failed_trials_with_their_original_tracebacks():
    results = tuner(fails, trials=[1, 2, 3]).fit()
    (failed,) = results.errors
    assert (failed.id, failed.state, failed.reason) == ("00001", "FAILED", "ValueError: something is wrong")
    assert failed.error.startswith("Traceback (most recent call last):")
    assert 'raise ValueError("something is wrong")' in failed.error
    assert "microtune/" not in failed.error
    assert failed.metrics["loss"] == 2


def test_a_trial_that_was_retried_to_its_end_has_no_error():
    attempts = []

    def train(config):
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("once")
        return 1

    (trial,) = tuner(train, max_failures=1).fit()
    assert (trial.state, trial.error, trial.reason) == ("COMPLETED", None, "completed")


# --- the best one ----------------------------------------------------------------------------------------------------

ROWS = [9, 1, 5], [4, 4, 4], [2, 8, 6]


@pytest.mark.parametrize(
    ("scope", "mode", "best", "loss"),
    [
        ("last", None, 1, 4), ("last", "max", 2, 6),
        ("all", None, 0, 1), ("all", "max", 0, 9),
        ("avg", None, 1, 4), ("avg", "max", 2, 6),
        ("last-5-avg", None, 1, 4), ("last-10-avg", "max", 2, 6),
    ],
)  # fmt: skip
def test_the_scope_says_what_of_a_trial_counts(scope, mode, best, loss):
    trial = curves(*ROWS).get_best_result("loss", mode, scope)
    assert (trial.number, trial.metrics["loss"]) == (best, loss)


def test_an_average_is_over_the_last_results_that_have_the_metric():
    five_good = [100] * 5 + [1] * 5
    results = curves(five_good, [2] * 10, [{"loss": 3}, {"other": 1}])
    assert results.get_best_result(scope="last-5-avg").number == 0
    assert results.get_best_result(scope="last-10-avg").number == 1
    assert results.get_best_result("loss", "max", scope="avg").number == 0
    assert curves([5], [{"loss": 3}, {"other": 1}]).get_best_result(scope="avg").number == 1


def test_the_best_step_comes_with_its_own_metrics_and_checkpoint(tmp_path):
    results = tuner(saving, tmp_path, trials=[5, 6]).fit()
    best = results.get_best_result(scope="all")
    assert (best.id, best.metrics["loss"], best.metrics["training_iteration"], said(best.checkpoint)) == ("00000", 5, 1, 5)
    assert results[0].metrics["loss"] == 7, "the trial itself is what it was"
    assert len(best.history) == 3


@pytest.mark.parametrize("scope", ["last", "all", "avg", "last-5-avg"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_no_number_ranks_worst(scope, mode):
    results = curves([math.nan], [math.inf], [-math.inf], [5], [math.nan], [{"other": 1}], mode=mode)
    assert results.get_best_result(scope=scope).number == 3


def test_a_trial_that_diverged_does_not_win_on_average():
    assert curves([1, math.nan], [5, 5]).get_best_result(scope="avg").number == 1


def test_of_equals_the_earliest_trial_and_the_earliest_step_win():
    results = curves([3, 1, 1], [1, 1, 1])
    assert results.get_best_result().number == 0
    best = results.get_best_result(scope="all")
    assert (best.number, best.metrics["training_iteration"]) == (0, 2)


def test_a_metric_that_is_not_the_runs_own_needs_a_mode():
    results = curves([{"loss": 1, "size": 5}], [{"loss": 2, "size": 4}])
    assert results.get_best_result("size", "min").number == 1
    assert results.get_best_result("size", "max").number == 0
    with pytest.raises(mt.OptionError, match="metric='size' is not the run's own: say mode='min' or mode='max' too"):
        results.get_best_result("size")
    with pytest.raises(mt.OptionError, match=r"mode= goes with metric="):
        results.get_best_result(mode="max")
    with pytest.raises(mt.OptionError, match="mode is 'most'"):
        results.get_best_result("size", "most")
    with pytest.raises(mt.OptionError, match="scope='best': it is one of last, all, avg, last-5-avg, last-10-avg"):
        results.get_best_result(scope="best")


def test_a_nested_metric_is_named_by_its_path():
    results = curves([{"eval": {"loss": 2}}], [{"eval": {"loss": 1}}], metric="eval/loss")
    assert results.get_best_result().number == 1
    assert results.get_best_result("eval/loss", "max").number == 0


def test_with_several_objectives_one_must_be_named():
    results = curves([{"loss": 1, "size": 5}], [{"loss": 2, "size": 4}], metric=["loss", "size"], mode=["min", "min"])
    with pytest.raises(mt.OptionError, match=r"get_best_result\(\) without metric= needs one metric"):
        results.get_best_result()
    assert results.get_best_result("size").number == 1


# --- no best one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "question", "message"),
    [
        ([[math.nan], [math.inf]], {}, "no trial has a finite 'loss': what was reported is NaN or infinite"),
        ([[{"loss": 1}]], {"metric": "acc", "mode": "max"}, "no trial has reported 'acc'; reported were: loss, time_total_s"),
        ([[1, {"other": 2}]], {}, "no trial has a finite 'loss' in its last result, but in earlier ones: say scope='all'"),
    ],
)
def test_where_there_is_no_best_one_the_error_says_why(rows, question, message):
    with pytest.raises(mt.RunError, match=re.escape(message)):
        curves(*rows).get_best_result(**question)


def test_where_all_trials_failed_the_error_shows_the_first_failure():
    def train(config):
        raise ValueError("something is wrong")

    with pytest.raises(mt.RunError, match="all 2 failed; the first: ValueError: something is wrong"):
        tuner(train, trials=[1, 2]).fit().get_best_result()


def test_a_run_without_trials_says_so(tmp_path):
    results = tuner(fails, tmp_path, trials=[], num_samples=3).fit()
    assert len(results) == 0
    assert list(results) == results.errors == results.pareto_front() == []
    assert "0 trials: none" in repr(results)
    with pytest.raises(mt.RunError, match="no trial has reported 'loss'; reported were: no metrics at all"):
        results.get_best_result()


# --- several objectives ----------------------------------------------------------------------------------------------


def test_the_pareto_front_has_the_trials_that_no_other_one_beats():
    points = [(1, 5), (2, 2), (3, 3), (5, 1), (math.nan, 0), (2, 2)]
    rows = [[{"loss": loss, "size": size}] for loss, size in points]
    results = curves(*rows, [{"loss": 0}], metric=["loss", "size"], mode=["min", "min"])
    assert [trial.number for trial in results.pareto_front()] == [0, 1, 3, 5]


def test_with_one_objective_the_front_has_the_best_trials():
    assert [trial.number for trial in curves([2], [1], [1]).pareto_front()] == [1, 2]


# --- the sequence, and reading it ------------------------------------------------------------------------------------


def test_results_are_a_sequence_in_the_order_of_creation():
    results = curves([1], [2], [3])
    assert len(results) == 3
    assert [trial.number for trial in results] == [0, 1, 2]
    assert results[-1].number == 2
    assert [trial.number for trial in results[1:]] == [1, 2]
    assert results[1] in results
    with pytest.raises(IndexError):
        results[3]
    assert "3 trials: 3 COMPLETED" in repr(results)


def test_a_run_can_be_opened_by_its_folder(tmp_path):
    fitted = tuner(saving, tmp_path, trials=[5, 6]).fit()
    opened = ResultGrid(tmp_path / "run")
    assert [trial.metrics for trial in opened] == [trial.metrics for trial in fitted]
    assert opened.get_best_result().id == fitted.get_best_result().id == "00000"
    assert opened.path == fitted.path == str(tmp_path / "run")
    assert opened.closed["finished"] is True
    assert opened.settings["num_samples"] == 2
    assert opened[0].history == fitted[0].history


def test_a_run_that_was_moved_can_still_be_read_with_its_checkpoints(tmp_path):
    tuner(saving, tmp_path, trials=[5, 6]).fit()
    shutil.move(tmp_path / "run", tmp_path / "moved")
    best = ResultGrid(tmp_path / "moved").get_best_result(scope="all")
    assert best.metrics["loss"] == said(best.checkpoint) == said(best.best_checkpoint()) == 5


def test_a_folder_without_a_run_is_a_clear_error(tmp_path):
    with pytest.raises(mt.RunError, match=r"there is no run in .*: it holds no journal\.db"):
        ResultGrid(tmp_path)


def test_results_can_be_read_while_the_run_goes_on(tmp_path):
    run = tuner(saving, tmp_path, trials=[5, 6], executor=FakeExecutor(workers=2)).open()
    try:
        run.step()
        results = ResultGrid(tmp_path / "run")
        assert [(trial.state, trial.metrics) for trial in results] == [("RUNNING", {}), ("RUNNING", {})]
        while run.counts["COMPLETED"] < 1:
            run.step()
        assert results[0].state == "RUNNING", "nothing changes under its reader's hands"
        results.refresh()
        assert results[0].state == "COMPLETED"
        assert results.get_best_result().id == "00000"
        assert results.closed is None
        while run.step():
            pass
    finally:
        run.close()
    results.refresh()
    assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED"]
    assert results.closed["finished"] is True


def test_paused_and_interrupted_trials_are_what_they_are(tmp_path):
    scheduler = FakeScheduler(decide=lambda trial, result: mt.Pause("rung 1") if trial.number == 0 else None)
    executor = FakeExecutor(workers=2)
    results = tuner(saving, tmp_path, trials=[5, 6], scheduler=scheduler, executor=executor, time_budget_s=1.5).fit()
    assert [trial.state for trial in results] == ["PAUSED", "PENDING"]
    assert results[0].reason == "rung 1"
    assert "time budget" in results[1].reason
    assert results.closed["finished"] is False


# --- a table ---------------------------------------------------------------------------------------------------------


def nested(config):
    mt.report(loss=config["x"], eval={"f1": 1, "none": {}}, list=[1, 2])


def test_a_row_is_flat():
    results = tuner(nested, trials=[5]).fit()
    assert results.row(results[0]) == {
        "trial": "00000", "number": 0, "state": "COMPLETED", "reason": "completed", "loss": 5, "eval/f1": 1, "eval/none": {},
        "list": [1, 2], "training_iteration": 1, "time_total_s": 1.0, "config/x": 5,
    }  # fmt: skip


def test_without_pandas_get_dataframe_says_what_to_do(monkeypatch):
    results = curves([1])
    real = builtins.__import__

    def no_pandas(name, *arguments):
        if name.partition(".")[0] == "pandas":
            raise ImportError("No module named 'pandas'")
        return real(name, *arguments)

    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(mt.RunError, match=r"get_dataframe\(\) needs pandas: pip install pandas"):
        results.get_dataframe()


def test_with_pandas_there_is_a_row_for_each_trial():
    pytest.importorskip("pandas")
    frame = tuner(nested, trials=[5, 6]).fit().get_dataframe()
    assert list(frame["trial"]) == ["00000", "00001"]
    assert list(frame["config/x"]) == [5, 6]
    assert list(frame["loss"]) == [5, 6]


# --- figures ---------------------------------------------------------------------------------------------------------


def test_an_installed_figure_is_a_method(tmp_path, monkeypatch):
    (tmp_path / "figures_of_test.py").write_text("def best(grid, *, log=False): return len(grid), log\n")
    fake_dist(tmp_path, "figures", "1.0", {"microtune.figures": {"the-best": "figures_of_test:best"}})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "figures_of_test", raising=False)
    results = curves([1], [2])
    assert results.plot_the_best(log=True) == (2, True)
    with pytest.raises(mt.PluginNotFound, match="no figure named 'the-worst' is installed"):
        results.plot_the_worst()
    with pytest.raises(AttributeError, match="'ResultGrid' object has no attribute 'plod'"):
        results.plod()


def test_events_are_the_journal_in_its_order():
    results = curves([1, 2])
    kinds = [event.kind for event in results.events()]
    assert (kinds[0], kinds[-1], kinds.count("result")) == ("opened", "closed", 2)
    assert [event.kind for event in results.events(after=len(kinds) - 1)] == ["closed"]
