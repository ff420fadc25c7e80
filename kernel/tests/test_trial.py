from __future__ import annotations

import pytest

from microtune.trial import (
    COMPLETED,
    ENDED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    STOPPED,
    TRANSITIONS,
    IllegalTransition,
    Result,
    Trial,
    lookup,
)

STATES = (PENDING, RUNNING, PAUSED, COMPLETED, STOPPED, FAILED)


def test_these_are_the_legal_transitions_and_no_others():
    legal = {(a, b) for a in STATES for b in TRANSITIONS[a]}
    assert legal == {
        (PENDING, RUNNING), (PENDING, STOPPED), (PENDING, FAILED),
        (RUNNING, COMPLETED), (RUNNING, STOPPED), (RUNNING, FAILED), (RUNNING, PAUSED), (RUNNING, PENDING),
        (PAUSED, PENDING), (PAUSED, STOPPED),
    }  # fmt: skip


@pytest.mark.parametrize("state", sorted(ENDED))
def test_nothing_follows_an_end(state):
    assert TRANSITIONS[state] == frozenset()


def test_a_moved_trial_is_a_new_value():
    trial = Trial("00003", 3, {"x": 1})
    moved = trial.moved(RUNNING, attempt=1)
    assert (trial.state, trial.attempt) == (PENDING, 0)
    assert (moved.state, moved.attempt, moved.config) == (RUNNING, 1, {"x": 1})
    assert moved.moved(STOPPED, "enough").reason == "enough"


def test_a_reason_does_not_outlive_its_state():
    assert Trial("00003", 3, {}, RUNNING).moved(PAUSED, "rung").moved(PENDING).reason is None


def test_an_illegal_transition_names_the_trial_and_both_states():
    with pytest.raises(IllegalTransition, match=r"trial 00003 cannot go from COMPLETED to RUNNING \(again\)"):
        Trial("00003", 3, {}, COMPLETED).moved(RUNNING, "again")


RESULT = Result({"loss": 0.5, "eval": {"accuracy": 0.9, "deep": {"f1": 0.8}}, "a/b": 1, "a": {"b": 2}}, 4, 2.5, 100.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", 0.5), ("training_iteration", 4), ("time_total_s", 2.5), ("eval/accuracy", 0.9), ("eval/deep/f1", 0.8),
        ("a/b", 1), ("missing", None), ("eval/missing", None), ("loss/deeper", None), ("eval/accuracy/deeper", None),
    ],
)  # fmt: skip
def test_a_metric_is_found_by_its_name_or_its_path(name, value):
    assert RESULT.get(name) == value


def test_what_is_missing_has_the_default():
    assert RESULT.get("missing", 7) == RESULT.get("eval/missing", 7) == 7


def test_a_metric_that_is_none_is_not_missing():
    assert lookup({"a": None}, "a", 7) is None
