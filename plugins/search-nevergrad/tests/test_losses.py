from __future__ import annotations

import math

import pytest

from microtune import uniform
from microtune_search_nevergrad.losses import ABYSMAL

SPACE = {"x": uniform(0, 1), "y": uniform(0, 1)}


def losses(session):
    return [loss for _, loss in session.told]


def test_a_completed_trial_is_told_with_its_last_loss(session):
    s = session(SPACE)
    trial = s.start()
    s.report(trial, 1, loss=0.2)
    s.report(trial, 2, loss=0.4)
    s.report(trial, 3, other=1)
    assert s.told == []
    s.end(trial)
    assert s.told == [(s.trials[trial].config, 0.4)]


def test_a_maximised_metric_is_told_as_its_negative(session):
    s = session(SPACE, mode="max")
    s.complete(0.9)
    assert losses(s) == [-0.9]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_as_bad_as_the_worst_that_finished(session, loss):
    s = session(SPACE)
    for each in (0.3, 0.7, 0.5, loss):
        s.complete(each)
    assert losses(s) == [0.3, 0.7, 0.5, 0.7]


def test_a_failed_trial_is_as_bad_as_the_worst_whatever_it_reported(session):
    s = session(SPACE, workers=2)
    s.complete(0.7)
    failed, silent = s.start(), s.start()
    s.report(failed, 1, loss=0.0)
    s.end(failed, "FAILED", "ValueError: no")
    s.end(silent, "FAILED", "ValueError: no")
    infeasible = s.start()
    s.end(infeasible, "STOPPED", "infeasible")
    assert losses(s) == [0.7] * 4


def test_a_failure_before_anything_was_measured_is_abysmal_and_does_not_count_as_a_loss(session):
    s = session(SPACE)
    s.end(s.start(), "FAILED", "no")
    s.complete(0.5)
    s.end(s.start(), "FAILED", "no")
    assert losses(s) == [ABYSMAL, 0.5, 0.5]


def test_a_trial_stopped_at_step_3_is_not_told_as_a_finished_one(session):
    s = session(SPACE, workers=2)
    s.complete(0.9, iteration=10)
    good, bad = s.start(), s.start()
    for trial, loss in ((good, 0.1), (bad, 1.3)):
        s.report(trial, 3, loss=loss)
        s.end(trial, "STOPPED", "asha")
    assert losses(s) == [0.9, 0.9, 1.3]


def test_a_trial_stopped_when_it_had_all_of_its_training_is_told_as_it_is(session):
    s = session(SPACE)
    s.complete(0.9, iteration=10)
    trial = s.start()
    s.report(trial, 10, loss=0.1)
    s.end(trial, "STOPPED", "max_t", finished=True)
    assert losses(s) == [0.9, 0.1]


def test_several_objectives_are_told_together_and_a_nan_in_one_fails_both(session):
    s = session(SPACE, metric=["loss", "size"], mode=["min", "max"], optimizer="TwoPointsDE")
    for loss, size in [(1.0, 5.0), (2.0, 9.0), (math.nan, 1.0)]:
        trial = s.start()
        s.report(trial, loss=loss, size=size)
        s.end(trial)
    assert losses(s) == [[1.0, -5.0], [2.0, -9.0], [2.0, -5.0]]
