from __future__ import annotations

import math

import pytest
from hyperopt import JOB_STATE_DONE, JOB_STATE_RUNNING, STATUS_FAIL, STATUS_OK, STATUS_SUSPENDED
from hyperopt.base import JOB_STATE_CANCEL

from microtune import choice, uniform

SPACE = {"x": uniform(0, 1)}


def test_a_completed_trial_is_done_with_its_last_loss(session):
    s = session(SPACE)
    trial = s.start()
    s.report(trial, 1, loss=0.2)
    s.report(trial, 2, loss=0.4)
    s.end(trial)
    assert s.document(trial)["state"] == JOB_STATE_DONE
    assert s.document(trial)["result"] == {"status": STATUS_OK, "loss": 0.4}


def test_a_maximised_metric_is_told_as_its_negative(session):
    s = session(SPACE, mode="max")
    assert s.document(s.complete(0.9))["result"]["loss"] == -0.9


def test_a_result_without_the_metric_does_not_hide_the_one_before(session):
    s = session(SPACE)
    trial = s.start()
    s.report(trial, 1, loss=0.2)
    s.report(trial, 2, other=1)
    s.end(trial)
    assert s.document(trial)["result"]["loss"] == 0.2


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_failure(session, loss):
    s = session(SPACE)
    assert s.document(s.complete(loss))["result"] == {"status": STATUS_FAIL, "loss": None}


def test_a_failed_trial_is_a_failure_whatever_it_reported_and_counts(session):
    s = session(SPACE)
    trial = s.start()
    s.report(trial, 1, loss=0.0)
    s.end(trial, "FAILED", "ValueError: no")
    assert s.document(trial)["result"] == {"status": STATUS_FAIL, "loss": None}
    assert s.document(trial)["state"] == JOB_STATE_DONE
    assert s.seen() == [0]


def test_a_config_that_breaks_a_constraint_is_a_failure(session):
    s = session(SPACE)
    trial = s.start()
    s.end(trial, "STOPPED", "infeasible")
    assert s.document(trial)["result"]["status"] == STATUS_FAIL


def test_a_trial_stopped_before_it_reported_says_nothing_and_is_hidden(session):
    s = session(SPACE)
    trial, other = s.start(), s.start()
    s.end(trial, "STOPPED", "not wanted any more")
    assert s.document(trial)["state"] == JOB_STATE_CANCEL
    assert s.seen() == [1]
    assert s.document(other)["state"] == JOB_STATE_RUNNING


def test_a_running_trial_has_no_loss_before_it_reports(session):
    s = session(SPACE)
    trial = s.start()
    assert s.document(trial)["state"] == JOB_STATE_RUNNING
    assert s.document(trial)["result"]["loss"] is None


def test_a_trial_stopped_at_step_3_is_not_told_as_a_finished_one(session):
    s = session(SPACE)
    bad = s.start()
    s.report(bad, 10, loss=0.9)
    s.end(bad)
    stopped = s.start()
    s.report(stopped, 3, loss=0.1)
    s.end(stopped, "STOPPED", "asha")
    result = s.document(stopped)["result"]
    assert result["status"] == STATUS_SUSPENDED
    assert (result["true_loss"], result["iteration"]) == (0.1, 3)
    assert result["loss"] > 0.9, "a loss of step 3 must not beat one of step 10"


def test_what_did_not_complete_ranks_by_its_length_and_then_by_its_loss(session):
    s = session(SPACE)
    ids = {}
    for name, iteration, loss in [("a", 1, 0.1), ("b", 3, 0.8), ("c", 3, 0.7)]:
        ids[name] = s.start()
        s.report(ids[name], iteration, loss=loss)
        s.end(ids[name], "STOPPED", "asha")
    ids["running"] = s.start()
    s.report(ids["running"], 2, loss=0.5)
    assert sorted(ids, key=lambda name: s.document(ids[name])["result"]["loss"]) == ["c", "b", "running", "a"]
    ids["d"] = s.start()
    s.report(ids["d"], 2, loss=5.0)
    s.end(ids["d"], "STOPPED", "training_iteration >= 2", finished=True)
    assert s.document(ids["d"])["result"]["loss"] == 5.0, "it had all of its training"
    assert sorted(ids, key=lambda name: s.document(ids[name])["result"]["loss"]) == ["d", "c", "b", "running", "a"]


def test_a_trial_that_goes_on_with_another_config_is_told_at_its_new_point(session):
    s = session(SPACE)
    trial = s.start({"x": 0.1})
    s.report(trial, 1, loss=0.1)
    s.resume(trial)
    assert s.document(trial)["result"]["loss"] is not None, "promoted: its point and its loss are what they were"
    s.resume(trial, config={"x": 0.7})
    assert list(s.document(trial)["misc"]["vals"].values()) == [[0.7]]
    assert s.document(trial)["result"]["loss"] is None
    s.report(trial, 2, loss=0.4)
    s.end(trial)
    assert s.document(trial)["result"] == {"status": STATUS_OK, "loss": 0.4}


def test_branches_that_were_not_chosen_have_no_values(session):
    s = session({"kind": choice([{"a": uniform(0, 1)}, {"b": uniform(0, 1)}])})
    vals = s.document(s.complete(1.0, {"kind": {"b": 0.25}}))["misc"]["vals"]
    assert list(vals.values()) == [[1], [], [0.25]]
