"""result: everyone hears each result once, and nothing that does not belong to the present attempt."""

from __future__ import annotations

import math

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher, ScriptedExecutor


def heard(searcher):
    return [told[1:] for told in searcher.told if told[0] == "result"]


def test_a_result_is_told_once_with_the_trial_as_of_now(scripted):
    seen = []

    class Looks(FakeSearcher):
        @mt.hookimpl
        def on_result(self, trial, result):
            seen.append((trial.state, trial.iteration, trial.checkpoint, result))

    run, executor = scripted(searcher=Looks())
    executor.reports("00000", 1, loss=0.5, checkpoint="s3://bucket/1")
    run.step()
    result = mt.Result({"loss": 0.5}, 1, 1.0, 1.0, "s3://bucket/1")
    assert seen == [("RUNNING", 1, "s3://bucket/1", result)]


def test_results_of_past_attempts_are_dropped(scripted, journalled):
    searcher = FakeSearcher()
    run, executor = scripted(searcher=searcher, max_failures=1)
    executor.exits("00000", "error")
    run.step()
    executor.reports("00000", 1, attempt=1, loss=0.1)
    executor.exits("00000", "error", attempt=1)
    executor.reports("00000", 1, attempt=2, loss=0.2)
    executor.reports("77777", 1, attempt=1, loss=0.3)
    run.step()
    assert heard(searcher) == [("00000", 1, {"loss": 0.2})]
    assert len(journalled("result")) == 1


def test_a_repeat_is_journalled_answered_with_continue_and_told_to_nobody(scripted, journalled):
    searcher, asked = FakeSearcher(), []
    scheduler = FakeScheduler(decide=lambda trial, result: asked.append(result.training_iteration))
    run, executor = scripted(searcher=searcher, scheduler=scheduler, max_failures=1)
    for iteration in (1, 2):
        executor.reports("00000", iteration, loss=1.0 / iteration)
        run.step()
    executor.exits("00000", "error")
    run.step()
    executor.steered.clear()
    for iteration in (1, 2, 3):  # there was no checkpoint, so it starts over
        executor.reports("00000", iteration, loss=9.0)
        run.step()
    assert heard(searcher) == [("00000", 1, {"loss": 1.0}), ("00000", 2, {"loss": 0.5}), ("00000", 3, {"loss": 9.0})]
    assert asked == [1, 2, 3]
    assert executor.steered == [("00000", mt.Continue())] * 3
    assert [bool(event.body.get("repeat")) for event in journalled("result")] == [False, False, True, True, False]


def test_a_retry_goes_on_from_the_last_checkpoint(tuner):
    executor, searcher, restored = FakeExecutor(), FakeSearcher(), []

    def train(config):
        start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
        restored.append(start)
        for step in range(start + 1, 6):
            folder = mt.checkpoint_dir() if step % 2 == 0 else None
            if folder:
                (folder / "step").write_text(str(step))
            mt.report(step=step, loss=1.0 / step, checkpoint=folder)
            if step == 3 and mt.get_context().attempt == 1:
                raise ValueError("once")

    results = tuner(train, executor=executor, searcher=searcher, max_failures=1).fit()
    assert restored == [0, 2]
    assert [iteration for _, iteration, _ in heard(searcher)] == [1, 2, 3, 4, 5]
    assert [row["step"] for row in results[0].history] == [1, 2, 3, 4, 5]


def test_time_total_s_is_the_time_of_running_over_all_attempts(scripted):
    paused, logger = [], FakeLogger()
    scheduler = FakeScheduler(
        decide=lambda trial, result: mt.Pause("rung") if result.training_iteration == 2 else None,
        suggest=lambda run: mt.Resume(paused.pop()) if paused else None,
    )
    run, executor = scripted(scheduler=scheduler, loggers=[logger])
    for iteration in (1, 2):  # at 1 and 2 seconds
        executor.reports("00000", iteration, loss=1.0)
        run.step()
    executor.now = 100.0
    paused.append("00000")
    executor.exits("00000")
    run.step()  # launched again at 101
    executor.now = 110.0
    executor.reports("00000", 3, loss=1.0)
    run.step()
    assert [event.body["time_total_s"] for event in logger.events if event.kind == "result"] == [1.0, 2.0, 12.0]


def test_a_run_that_was_down_for_a_day_does_not_add_that_to_its_trials(scripted, killed, restored, opened):
    run, executor = scripted()
    executor.reports("00000", 1, loss=1.0)
    run.step()
    again = ScriptedExecutor()
    again.now = 86400.0
    logger = FakeLogger()
    run = opened(restored(folder=killed(run), executor=again, loggers=[logger]))
    run.step()
    again.reports("00000", 2, loss=1.0)
    run.step()
    assert [event.body["time_total_s"] for event in logger.events if event.kind == "result"] == [1.0, 2.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_are_told_and_journalled_as_they_are(value, tuner):
    searcher = FakeSearcher()

    def train(config):
        mt.report(loss=value, nested={"list": [value]})
        mt.report(loss=1.0)

    results = tuner(train, searcher=searcher).fit()
    for loss in (heard(searcher)[0][2]["loss"], results[0].history[0]["loss"], results[0].history[0]["nested"]["list"][0]):
        assert repr(loss) == repr(value)
    assert results.get_best_result().metrics["loss"] == 1.0


def test_a_searcher_that_fails_in_on_result_stops_the_run_with_the_result_on_disk(tuner, restored, journalled):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def on_result(self, trial, result):
            if trial.number == 1:
                raise ZeroDivisionError("nothing to divide")

    with pytest.raises(mt.PluginError, match="searcher 'Broken' failed in on_result for trial 00001: ZeroDivisionError"):
        tuner(searcher=Broken(), num_samples=3).fit()
    assert [(event.trial, event.body["iteration"]) for event in journalled("result")] == [
        ("00000", 1), ("00000", 2), ("00001", 1),
    ]  # fmt: skip
    searcher = FakeSearcher()
    assert [trial.state for trial in restored(searcher=searcher).fit()] == ["COMPLETED"] * 3
    assert [told[:2] for told in heard(searcher)] == [(trial, i) for trial in ("00000", "00001", "00002") for i in (1, 2)]


def test_the_last_report_of_a_trial_that_the_end_of_the_run_told_to_leave_is_told_and_not_decided(
    scripted, journalled, restored, opened
):
    searcher, asked = FakeSearcher(), []
    scheduler = FakeScheduler(decide=lambda trial, result: asked.append(result.training_iteration))
    run, executor = scripted(searcher=searcher, scheduler=scheduler)
    executor.reports("00000", 1, loss=1.0)
    run.interrupt(2)
    run.step()
    assert isinstance(executor.steered[-1][1], mt.Pause)
    steered = len(executor.steered)
    executor.reports("00000", 2, loss=0.5, checkpoint="s3://bucket/2")
    executor.exits("00000")
    assert not run.step()
    run.close()
    assert heard(searcher) == [("00000", 1, {"loss": 1.0}), ("00000", 2, {"loss": 0.5})]
    assert asked == [1]
    assert len(executor.steered) == steered
    assert [event.body["time_total_s"] for event in journalled("result")] == [1.0, 2.0]
    again = ScriptedExecutor()
    resumed = opened(restored(searcher=FakeSearcher(), scheduler=FakeScheduler(), executor=again))
    resumed.step()
    assert [(trial.id, trial.iteration, trial.checkpoint) for trial in again.launched] == [("00000", 2, "s3://bucket/2")]
    again.reports("00000", 3, loss=0.2)
    resumed.step()
    assert journalled("result")[-1].body["time_total_s"] == 3.0


def test_a_report_of_a_trial_that_was_paused_by_a_decision_is_dropped_when_the_run_ends_too(scripted, journalled):
    started = []
    scheduler = FakeScheduler(
        decide=lambda trial, result: mt.Pause("rung"),
        suggest=lambda run: mt.Wait("not now") if started or started.append(1) else None,
    )
    run, executor = scripted(scheduler=scheduler, slots=2)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    run.interrupt(2)
    executor.reports("00000", 2, loss=0.5)
    executor.exits("00000")
    run.step()
    assert [event.body["iteration"] for event in journalled("result")] == [1]
