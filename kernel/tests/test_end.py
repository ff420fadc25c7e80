"""end: how a trial leaves, and whether it is tried again."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeSearcher, ScriptedExecutor


def fails(times):
    """A trainable whose first attempts fail, so many of them."""

    def train(config):
        if mt.get_context().attempt <= times:
            raise ValueError("a bad day")
        mt.report(loss=1.0)

    return train


def test_a_trial_whose_trainable_returns_is_completed(tuner):
    searcher = FakeSearcher()
    assert [(trial.state, trial.reason) for trial in tuner(searcher=searcher).fit()] == [("COMPLETED", "completed")]
    assert searcher.told[-1] == ("end", "00000", "COMPLETED")


def test_without_max_failures_the_first_failure_is_the_end(tuner):
    searcher = FakeSearcher()
    trial = tuner(fails(1), searcher=searcher).fit()[0]
    assert (trial.state, trial.reason) == ("FAILED", "ValueError: a bad day")
    assert searcher.told == [("start", "00000", 1), ("end", "00000", "FAILED")]


def test_the_original_traceback_is_kept(tuner):
    trial = tuner(fails(1)).fit()[0]
    assert 'raise ValueError("a bad day")' in trial.error
    assert "microtune/trainable.py" not in trial.error


@pytest.mark.parametrize(("times", "state"), [(1, "COMPLETED"), (2, "FAILED")])
def test_max_failures_is_how_often_a_trial_is_tried_again(times, state, tuner):
    executor = FakeExecutor()
    assert tuner(fails(times), executor=executor, max_failures=1).fit()[0].state == state
    assert executor.launched == [("00000", 1), ("00000", 2)]


def test_minus_one_means_for_ever(tuner):
    executor = FakeExecutor()
    assert tuner(fails(20), executor=executor, max_failures=-1).fit()[0].state == "COMPLETED"
    assert len(executor.launched) == 21


def test_a_retry_is_told_to_nobody(tuner, journalled):
    searcher = FakeSearcher()
    tuner(fails(2), searcher=searcher, max_failures=2).fit()
    assert [told[0] for told in searcher.told] == ["start", "result", "end"]
    assert [event.body["counted"] for event in journalled("interrupted")] == [True, True]
    assert "a bad day" in journalled("interrupted")[0].body["failure"]["traceback"]


@pytest.mark.parametrize("kind", ["timeout", "out_of_memory", "error"])
def test_every_kind_of_failure_but_a_lost_worker_counts(kind, scripted):
    run, executor = scripted(max_failures=1)
    executor.exits("00000", kind)
    run.step()
    executor.exits("00000", kind)
    run.step()
    assert run.counts["FAILED"] == 1


def test_lost_workers_do_not_count_as_long_as_the_trial_gets_further(scripted, journalled):
    run, executor = scripted()
    for iteration in range(1, 8):
        executor.reports("00000", iteration, loss=1.0)
        run.step()
        for _ in range(2):
            executor.exits("00000", "lost")
            run.step()
    assert run.counts["RUNNING"] == 1
    assert {event.body["counted"] for event in journalled("interrupted")} == {False}


def test_the_third_loss_at_the_same_iteration_fails_the_trial(scripted):
    run, executor = scripted(max_failures=-1)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    for _ in range(3):
        assert run.counts["RUNNING"] == 1
        executor.exits("00000", "lost")
        run.step()
        executor.reports("00000", 1, loss=1.0)  # a repeat is no progress
        run.step()
    assert run.counts["FAILED"] == 1


def test_the_count_of_losses_outlives_the_process(scripted, killed, restored, opened):
    run, executor = scripted()
    for _ in range(2):
        executor.exits("00000", "lost")
        run.step()
    again = ScriptedExecutor()
    run = opened(restored(folder=killed(run), executor=again))
    run.step()
    again.exits("00000", "lost")
    run.step()
    assert run.counts["FAILED"] == 1


def test_a_checkpoint_that_came_with_the_failure_is_where_the_retry_goes_on(scripted, tmp_path):
    run, executor = scripted(max_failures=1)
    executor.reports("00000", 1, loss=1.0, checkpoint="s3://bucket/1-1")
    run.step()
    executor.exits("00000", "timeout", checkpoint="s3://bucket/2-1", iteration=2)
    run.step()
    assert (executor.launched[-1].attempt, executor.launched[-1].checkpoint) == (2, "s3://bucket/2-1")


def test_fail_fast_ends_the_run_and_keeps_the_other_trials(scripted):
    run, executor = scripted(slots=2, num_samples=5, fail_fast=True)
    executor.exits("00000", "error")
    run.step()
    reason = "fail_fast: trial 00000 failed: error in the script"
    assert executor.steered == [("00001", mt.Pause(reason))]
    executor.exits("00001")
    assert not run.step()
    assert run.outcome == (False, reason)
    assert (run.counts["FAILED"], run.counts["PENDING"]) == (1, 1)


def test_fail_fast_comes_after_the_retries(tuner):
    assert tuner(fails(1), fail_fast=True, max_failures=1).fit()[0].state == "COMPLETED"


# --- a metric that is never reported ---------------------------------------------------------------------------------


@pytest.mark.parametrize("returned", [None, {"accuracy": 1.0}])
def test_a_metric_that_nobody_reports_ends_the_run_with_one_clear_error(returned, tuner, restored):
    with pytest.raises(mt.RunError, match="trial 00000 ended without ever reporting 'loss', which the run optimises: report"):
        tuner(lambda config: returned, num_samples=50).fit()
    results = restored(num_samples=2).fit()  # with a trainable that reports it
    assert [trial.state for trial in results] == ["FAILED", "COMPLETED"]


def test_it_ends_no_run_in_which_another_trial_has_reported_it(tuner):
    def train(config):
        return None if mt.get_context().number == 1 else {"loss": 1.0}

    results = tuner(train, num_samples=3).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "without ever reporting 'loss'" in results[1].reason


def test_the_metric_need_not_be_in_every_result(tuner):
    def train(config):
        mt.report(loss=1.0)
        mt.report(other=2.0)

    assert tuner(train).fit()[0].state == "COMPLETED"


def test_a_metric_may_be_nested(tuner):
    results = tuner(lambda config: {"eval": {"loss": 1.0}}, metric="eval/loss").fit()
    assert results.get_best_result().metrics["eval"] == {"loss": 1.0}


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_searcher_that_fails_in_on_end_stops_the_run_with_the_end_on_disk(tuner, restored, journalled):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def on_end(self, trial):
            raise RuntimeError("no obituary")

    with pytest.raises(mt.PluginError, match="searcher 'Broken' failed in on_end for trial 00000: RuntimeError: no obituary"):
        tuner(searcher=Broken(), num_samples=2).fit()
    assert len(journalled("ended")) == 1
    searcher = FakeSearcher()
    restored(searcher=searcher).fit()
    assert [told for told in searcher.told if told[0] == "end"] == [("end", f"0000{n}", "COMPLETED") for n in (0, 1)]


def test_an_exit_of_a_past_attempt_changes_nothing(scripted, journalled):
    logger = FakeLogger()
    run, executor = scripted(max_failures=1, loggers=[logger])
    executor.exits("00000", "error")
    run.step()
    executor.exits("00000", attempt=1)
    run.step()
    assert run.counts["RUNNING"] == 1
    assert "ended" not in logger.kinds
