"""decide: who is asked after a result, what may be answered, and from when on it holds."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import FakeScheduler, FakeSearcher


def decides(answer, at=1):
    return FakeScheduler(decide=lambda trial, result: answer if result.training_iteration == at else None)


def test_stop_rules_are_asked_before_the_scheduler_in_the_order_in_which_they_were_given(scripted, journalled):
    class First(FakeScheduler):
        pass

    class Second(FakeScheduler):
        pass

    first, second = First(decide=lambda t, r: mt.Stop("first")), Second(decide=lambda t, r: mt.Stop("second"))
    run, executor = scripted(stop=[first, second], scheduler=decides(mt.Pause("third")))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert [event.body for event in journalled("decided")] == [{"decision": "stop", "reason": "first", "by": "First"}]


@pytest.mark.parametrize("answer", [None, mt.Continue()])
def test_no_opinion_and_continue_let_the_trial_train_on_and_are_not_journalled(answer, scripted, journalled):
    run, executor = scripted(scheduler=decides(answer))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert executor.steered == [("00000", mt.Continue())]
    assert journalled("decided") == []


def test_a_stop_is_in_force_once_committed(scripted, journalled):
    searcher = FakeSearcher()
    run, executor = scripted(searcher=searcher, scheduler=decides(mt.Stop("bad")))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert run.counts["STOPPED"] == 1
    assert searcher.told[-2:] == [("result", "00000", 1, {"loss": 1.0}), ("end", "00000", "STOPPED")]
    assert [(event.body["state"], event.body["reason"]) for event in journalled("ended")] == [("STOPPED", "bad")]
    executor.reports("00000", 2, loss=0.1)  # it had not heard yet
    executor.exits("00000")
    run.step()
    assert len(searcher.told) == 3


@pytest.mark.parametrize("finished", [False, True])
def test_a_trial_that_was_cut_short_is_told_apart_from_one_that_had_all_of_its_training(finished, scripted, journalled):
    ended = []

    class Watcher:
        @mt.hookimpl
        def on_end(self, trial):
            ended.append((trial.state, trial.finished))

    run, executor = scripted(stop=[Watcher()], scheduler=decides(mt.Stop("max_t", finished=finished)))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert ended == [("STOPPED", finished)]
    assert journalled("ended")[0].body == {
        "state": "STOPPED",
        "reason": "max_t",
        **({"finished": True} if finished else {}),
    }


def test_a_pause_is_in_force_once_committed(scripted, journalled):
    searcher = FakeSearcher()
    run, executor = scripted(searcher=searcher, num_samples=2, scheduler=decides(mt.Pause("rung")))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert (run.counts["PAUSED"], run.counts["RUNNING"]) == (1, 1)
    assert journalled("decided")[0].body == {"decision": "pause", "reason": "rung", "by": "FakeScheduler"}
    assert ("end", "00000", "PAUSED") not in searcher.told


@pytest.mark.parametrize("answer", [mt.Stop("bad"), mt.Pause("rung")])
def test_the_late_exit_may_bring_a_checkpoint(answer, scripted, journalled, tmp_path):
    run, executor = scripted(scheduler=decides(answer))
    executor.reports("00000", 1, loss=1.0)
    run.step()
    path = str(tmp_path / "run" / "trials" / "00000" / "checkpoints" / "1-1")
    executor.exits("00000", checkpoint=path, iteration=1)
    run.step()
    assert [event.body for event in journalled("checkpoint")] == [{"iteration": 1, "path": path}]
    assert mt.ResultGrid(run.facts.path)[0].checkpoint == path


@pytest.mark.parametrize("answer", [mt.Stop("bad"), mt.Pause("rung")])
def test_an_error_on_the_way_out_is_a_fault_and_changes_nothing(answer, scripted, journalled):
    run, executor = scripted(scheduler=decides(answer), max_failures=3)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    before = run.counts
    executor.exits("00000", "error")
    run.step()
    assert run.counts == before
    assert [(event.trial, event.body["message"]) for event in journalled("fault")] == [("00000", "error in the script")]
    assert len(executor.launched) == 1


def test_stop_run_keeps_the_trials(scripted, journalled):
    searcher = FakeSearcher()
    run, executor = scripted(slots=2, num_samples=5, searcher=searcher, scheduler=decides(mt.StopRun("enough")))
    executor.reports("00001", 1, loss=1.0)
    run.step()
    assert run.counts["PENDING"] == 2
    assert sorted(executor.steered, key=lambda pair: pair[0]) == [
        ("00000", mt.Pause("enough")),
        ("00001", mt.Pause("enough")),
    ]
    assert [event.body["decision"] for event in journalled("decided")] == ["stop_run"]
    assert not any(told[0] == "end" for told in searcher.told)


def test_nobody_decides_on_a_value_that_was_returned(tuner):
    asked, searcher = [], FakeSearcher()
    decide = lambda trial, result: asked.append(trial.id) or mt.Stop("at once")  # noqa: E731
    returns = lambda config: {"loss": 1.0}  # noqa: E731
    results = tuner(returns, searcher=searcher, scheduler=FakeScheduler(decide=decide), name="returned").fit()
    assert asked == []
    assert searcher.told[1:] == [("result", "00000", 1, {"loss": 1.0}), ("end", "00000", "COMPLETED")]
    assert results[0].metrics["loss"] == 1.0


def test_a_result_that_comes_with_the_loss_of_its_worker_is_decided_as_if_it_had_come_before(scripted, journalled):
    searcher = FakeSearcher()
    run, executor = scripted(searcher=searcher, scheduler=decides(mt.Stop("at once")))
    executor.reports("00000", 1, loss=1.0)
    executor.exits("00000", "lost")
    run.step()
    assert searcher.told[-1] == ("end", "00000", "STOPPED")
    assert [event.body["kind"] for event in journalled("fault")] == ["lost"]


@pytest.mark.parametrize("answer", ["stop", True, False, mt.Start({"x": 1}), mt.Wait("for what")])
def test_an_answer_of_the_wrong_type_is_an_error_that_names_the_plugin(answer, scripted, journalled):
    run, executor = scripted(scheduler=decides(answer))
    executor.reports("00000", 1, loss=1.0)
    with pytest.raises(
        mt.PluginError, match=r"'FakeScheduler' answered decide with .* it may answer Continue, Pause, Stop"
    ):
        run.step()
    assert len(journalled("result")) == 1  # what the batch has recorded is committed


def test_a_reason_that_is_no_text_does_not_poison_the_journal(scripted, journalled):
    run, executor = scripted(scheduler=decides(mt.Stop(ValueError("a reason?"))))
    executor.reports("00000", 1, loss=1.0)
    with pytest.raises(
        mt.RunError, match="the event 'decided' of trial 00000 cannot be written down, as it is not JSON"
    ):
        run.step()
    assert [event.kind for event in journalled()] == ["opened", "created", "launched", "result"]


def test_a_scheduler_that_fails_stops_the_run_with_the_result_on_disk(tuner, restored, journalled):
    def decide(trial, result):
        raise LookupError("no rung")

    with pytest.raises(
        mt.PluginError, match="scheduler 'FakeScheduler' failed in decide for trial 00000: LookupError: no"
    ):
        tuner(scheduler=FakeScheduler(decide=decide)).fit()
    assert len(journalled("result")) == 1
    assert restored(scheduler=FakeScheduler()).fit()[0].state == "COMPLETED"
