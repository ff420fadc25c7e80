from __future__ import annotations

import math

from microtune import Limits
from microtune_execute_ray.deadlines import Deadlines
from microtune_execute_ray.handle import Attempt, Handle
from microtune_execute_ray.needs import Need

NEED = Need.of({})


def begun(**more):
    attempt = Attempt(1, "t", 1, NEED, (), began=100.0, heard=100.0, **more)
    attempt.handle = Handle(1, NEED)
    return attempt


def complaints(limits, attempt, now):
    return [complaint for _, complaint in Deadlines(limits).missed([attempt], now)]


def test_without_limits_only_a_trial_that_was_told_to_leave_has_a_deadline():
    deadlines = Deadlines(Limits())
    assert not deadlines.any
    assert deadlines.next([begun()]) == math.inf
    assert deadlines.next([begun(leave_by=103.0)]) == 103.0


def test_silence_is_counted_from_the_last_sign_of_life_and_not_while_it_waits_for_a_decision():
    limits = Limits(report=5)
    assert complaints(limits, begun(), 104.9) == []
    assert complaints(limits, begun(), 105.0) == ["reported nothing for 5 s (report_timeout_s)"]
    assert complaints(limits, begun(asks=True), 1e9) == []


def test_a_trial_that_reports_for_ever_is_late_in_the_end():
    assert complaints(Limits(trial=60, report=5), begun(asks=True), 160.0) == ["took longer than 60 s (trial_timeout_s)"]


def test_one_that_does_not_leave_is_late_once():
    assert complaints(Limits(grace=3), begun(leave_by=103.0), 103.0) == ["was told to leave and had not left 3 s later"]
    assert complaints(Limits(grace=3), begun(leave_by=103.0, overdue="it is being killed"), 200.0) == []


def test_one_that_waits_for_a_worker_is_not_late():
    assert complaints(Limits(trial=1), Attempt(1, "t", 1, NEED, ()), 1e9) == []
