from __future__ import annotations

import math
from typing import Any

import pytest

from microtune_log_console.board import Board


@pytest.fixture
def board(facts: Any, telling: Any) -> Any:
    """A board of three rows, and what tells it: `told.board` is the board."""

    def make(rows: int = 3, **settings: Any) -> Any:
        run = facts(**settings)
        told = telling(run, Board(run, rows))
        told.board = told.listener
        return told

    return make


def test_every_trial_is_counted_once_by_where_it_is(board: Any) -> None:
    told = board()
    told.event("opened")
    for number in range(6):
        told.start(number, launch=number != 5)
        told.result(number, 0.5)
    told.event("decided", 1, decision="pause", reason="rung")
    told.end(2)
    told.end(3, "STOPPED", "asha")
    told.end(4, "FAILED", "ValueError: x")
    assert told.board.counts() == {"running": 1, "waiting": 2, "completed": 1, "stopped": 1, "failed": 1}
    assert told.board.over == 3
    assert told.board.failure == ("00004", "ValueError: x")


def test_a_paused_trial_that_is_resumed_runs_again(board: Any) -> None:
    told = board()
    told.start(0)
    told.event("decided", 0, decision="pause", reason="rung")
    assert told.board.counts()["waiting"] == 1
    told.start(0)
    assert told.board.counts()["running"] == 1


def test_a_retry_waits_and_is_counted(board: Any) -> None:
    told = board()
    told.start(0)
    told.event("interrupted", 0, reason="x", failure={"kind": "error"})
    assert (told.board.counts()["waiting"], told.board.retries) == (1, 1)


def test_a_decision_to_stop_does_not_make_a_trial_wait(board: Any) -> None:
    told = board()
    told.start(0)
    told.event("decided", 0, decision="stop_run", reason="x")
    assert told.board.counts()["running"] == 1


def test_an_infeasible_trial_is_none_of_the_budget(board: Any) -> None:
    told = board()
    told.start(0, launch=False)
    told.end(0, "STOPPED", "infeasible")
    assert told.board.over == 0
    assert told.board.counts() == {
        "running": 0,
        "waiting": 0,
        "completed": 0,
        "stopped": 0,
        "failed": 0,
        "infeasible": 1,
    }


def test_the_best_has_the_best_last_result_and_the_earliest_wins_a_tie(board: Any) -> None:
    told = board()
    for number, losses in enumerate([[0.1, 0.9], [0.3], [0.3], [0.5, 0.4]]):
        told.start(number)
        for iteration, loss in enumerate(losses, start=1):
            told.result(number, loss, iteration)
    told.end(2)
    told.end(0)
    assert [row.trial.number for row in told.board.ranking(4)] == [1, 2, 3, 0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "low"])
def test_what_is_no_number_is_never_the_best(board: Any, value: object) -> None:
    told = board()
    told.start(0)
    told.result(0, value)
    assert told.board.ranking(3) == []
    told.end(0)
    assert told.board.ranking(3) == []


def test_of_trials_that_are_over_only_the_best_rows_are_kept(board: Any) -> None:
    told = board(rows=3, mode="max")
    for number in range(1000):
        told.start(number)
        told.result(number, (number * 7919) % 1000)
        told.end(number)
    assert [row.result.metrics["loss"] for row in told.board.best] == [999, 998, 997]
    assert told.board.live == {}


def test_events_of_an_earlier_session_about_a_trial_that_is_over_change_nothing(board: Any) -> None:
    told = board()
    told.start(0)
    told.end(0)
    before = told.board.counts()
    told.event("launched", 0, attempt=1)
    told.event("checkpoint", 0, path="x/1-1", iteration=1)
    told.event("interrupted", 0, reason="x")
    assert told.board.counts() == before


def test_a_later_session_begins_with_nothing_running_and_its_own_pace(board: Any) -> None:
    told = board(trials=10)
    told.run.now = 1000.0
    for number in range(5):
        told.start(number)
    for number in range(4):
        told.end(number)
    told.run.now = 5000.0
    told.event("changed")
    assert told.board.counts()["running"] == 0
    assert told.board.elapsed(5000.0) == 0
    assert told.board.left(5000.0) is None
    told.run.now = 5010.0
    told.end(4)
    assert told.board.left(5010.0) is None  # one is no ground
    for number in (5, 6):
        told.start(number)
        told.end(number)
    assert told.board.left(5030.0) == pytest.approx(30)


def test_there_is_no_estimate_before_as_many_have_ended_as_run(board: Any) -> None:
    told = board(trials=20)
    told.event("opened")
    for number in range(12):
        told.start(number)
    for number in range(5):
        told.end(number)
    assert told.board.left(60.0) is None
    told.end(5)
    assert told.board.left(60.0) == pytest.approx(140)


def test_the_time_left_is_estimated_from_the_trials_that_have_ended_and_the_time_budget(board: Any) -> None:
    told = board(trials=20, time=300)
    told.event("opened")
    assert told.board.left(10.0) == pytest.approx(290)
    for number in range(10):
        told.start(number)
        told.end(number)
    assert told.board.left(60.0) == pytest.approx(60)
    assert told.board.left(280.0) == pytest.approx(20)
    assert told.board.progress(60.0) == pytest.approx(0.5)
    assert told.board.progress(270.0) == pytest.approx(0.9)


def test_without_a_budget_there_is_neither_progress_nor_an_estimate(board: Any) -> None:
    told = board(trials=None)
    told.event("opened")
    assert (told.board.progress(5.0), told.board.left(5.0)) == (None, None)


def test_the_checkpoint_of_a_row_is_that_of_its_last_result(board: Any) -> None:
    told = board()
    told.start(0)
    told.result(0, 0.5, 3)
    told.event("checkpoint", 0, path="c/2-1", iteration=2)
    assert told.board.live["00000"].checkpoint is None
    told.end(0, "STOPPED", "asha")
    told.event("checkpoint", 0, path="c/3-1", iteration=3)  # saved on the way out
    assert told.board.best[0].checkpoint == "c/3-1"
    told.event("deleted", 0, path="c/3-1")
    assert told.board.best[0].checkpoint is None


def test_what_it_takes_to_begin_is_not_extrapolated(board: Any) -> None:
    told = board(trials=20)
    told.event("opened")
    for number in range(4):
        told.start(number)
    told.run.now = 100.0
    for number in range(4):
        told.result(number, 0.5)
        told.end(number)
    assert told.board.left(108.0) == pytest.approx(32)  # 2 s a trial, not 27
