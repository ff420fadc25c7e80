"""A run that was made elsewhere, written down here."""

from __future__ import annotations

import math
import os
import sqlite3

import pytest

import microtune as mt
from microtune import PastTrial, Result, record_run
from microtune.journal import Journal
from microtune.replay import State
from microtune.testing import FakeSearcher

SPACE = {"x": mt.uniform(0, 1)}


def steps(*losses, began=100.0):
    return [Result({"loss": loss}, i, 2.0 * i, began + 2 * i) for i, loss in enumerate(losses, 1)]


THREE = [
    PastTrial({"x": 0.5}, results=steps(3.0, 1.0), began=100.0, ended=105.0),
    PastTrial({"x": 0.1}, "STOPPED", steps(2.0, began=101.0), reason="pruned", began=101.0, ended=104.0),
    PastTrial({"x": 0.9}, "FAILED", [], "ValueError: no", "Traceback ...\nValueError: no", began=102.0, ended=102.5),
]


def record(path, trials=tuple(THREE), **more):
    given = {"metric": "loss", "mode": "min", "source": "a notebook", "param_space": SPACE}
    return record_run(path, trials=trials, **{**given, **more})


def test_what_was_recorded_is_what_is_read(tmp_path):
    grid = record(tmp_path / "run")
    assert [(t.id, t.number, t.config, t.state, t.reason) for t in grid] == [
        ("00000", 0, {"x": 0.5}, "COMPLETED", "completed"),
        ("00001", 1, {"x": 0.1}, "STOPPED", "pruned"),
        ("00002", 2, {"x": 0.9}, "FAILED", "ValueError: no"),
    ]
    assert grid[0].history == [
        {"loss": 3.0, "training_iteration": 1, "time_total_s": 2.0},
        {"loss": 1.0, "training_iteration": 2, "time_total_s": 4.0},
    ]
    assert grid[2].error == "Traceback ...\nValueError: no"
    assert grid.get_best_result().config == {"x": 0.5}
    assert grid.settings["param_space"] == mt.Space(SPACE).to_json()
    assert grid.closed == {"reason": "imported from a notebook", "finished": True}


def test_its_events_are_those_of_a_run_that_happened(tmp_path):
    events = list(record(tmp_path / "run").events())
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert [(e.at, e.kind) for e in events if e.trial == "00001"] == [
        (101.0, "created"), (101.0, "launched"), (103.0, "result"), (104.0, "ended"),
    ]  # fmt: skip
    state = State()
    for event in events:  # raises where a transition is illegal
        state.apply(event)
    assert state.counts == {"PENDING": 0, "RUNNING": 0, "PAUSED": 0, "COMPLETED": 1, "STOPPED": 1, "FAILED": 1}


def test_the_views_for_people_have_it(tmp_path):
    record(tmp_path / "run")
    db = sqlite3.connect(tmp_path / "run" / "journal.db")
    assert db.execute("SELECT id, state, reason FROM trials ORDER BY number").fetchall() == [
        ("00000", "COMPLETED", "completed"), ("00001", "STOPPED", "pruned"), ("00002", "FAILED", "ValueError: no"),
    ]  # fmt: skip
    assert db.execute("SELECT count(*) FROM results").fetchone() == (3,)
    db.close()


def test_trials_are_numbered_as_they_began_and_one_without_a_time_follows_the_one_before(tmp_path):
    trials = [PastTrial({"x": 0.3}, began=30.0), PastTrial({"x": 0.4}), PastTrial({"x": 0.1}, began=10.0)]
    assert [trial.config["x"] for trial in record(tmp_path / "run", trials)] == [0.1, 0.3, 0.4]


def test_a_trial_that_was_not_over_is_pending_and_the_run_not_finished(tmp_path):
    trials = [PastTrial({"x": 0.3}, "PENDING"), PastTrial({"x": 0.4}, "PENDING", steps(1.0))]
    grid = record(tmp_path / "run", trials)
    assert [(trial.state, len(trial.history)) for trial in grid] == [("PENDING", 0), ("PENDING", 1)]
    assert grid.closed["finished"] is False


def test_a_trial_keeps_the_id_that_it_had(tmp_path):
    grid = record(tmp_path / "run", [PastTrial({"x": 0.3}, id="e491c_00003")])
    assert (grid[0].id, grid[0].number) == ("e491c_00003", 0)


def test_values_that_are_no_numbers_and_several_objectives_are_kept(tmp_path):
    trials = [PastTrial({"x": 1.0}, results=[Result({"a": math.nan, "b": {"c": math.inf}}, 1, 0.0, 5.0)])]
    grid = record(tmp_path / "run", trials, metric=["a", "b/c"], mode=["min", "max"])
    assert math.isnan(grid[0].metrics["a"])
    assert grid[0].metrics["b"] == {"c": math.inf}
    assert (grid.objective.metrics, grid.objective.modes) == (("a", "b/c"), ("min", "max"))


def test_a_checkpoint_that_lies_elsewhere_is_found_through_its_result(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    where = str(tmp_path / "elsewhere")
    grid = record(tmp_path / "run", [PastTrial({"x": 1.0}, results=[Result({"loss": 1.0}, 4, 0.0, 5.0, where)])])
    assert grid.get_best_result().checkpoint == where


def test_a_run_of_no_trials_without_a_space_is_one(tmp_path):
    assert len(record(tmp_path / "run", [], param_space=None)) == 0


# --- what is refused -------------------------------------------------------------------------------------------------

WRONG = {
    "iteration 1 comes after": [PastTrial({"x": 1.0}, results=[*steps(1.0), *steps(2.0)])],
    "NaN equals nothing": [*THREE, PastTrial({"x": math.nan})],
    "is counted by microtune": [PastTrial({"x": 1.0}, results=[Result({"time_total_s": 1}, 1, 0.0, 5.0)])],
    "report numbers": [PastTrial({"x": 1.0}, results=[Result({"loss": object()}, 1, 0.0, 5.0)])],
    "is 'DONE': it must be one of": [PastTrial({"x": 1.0}, "DONE")],
    "cannot be the id of a trial": [PastTrial({"x": 1.0}, id="../../etc")],
    "have the id 'a'": [PastTrial({"x": 1.0}, id="a"), PastTrial({"x": 1.0}, id="a")],
    "no number of seconds": [PastTrial({"x": 1.0}, began=math.inf)],
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_written_down_leaves_nothing_behind(message, tmp_path):
    with pytest.raises(mt.OptionError, match=message):
        record(tmp_path / "run", WRONG[message])
    assert os.listdir(tmp_path) == []


def test_a_failure_in_the_middle_of_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(self, logged=None):
        raise mt.RunError("the disk is full")

    monkeypatch.setattr(Journal, "commit", full)
    with pytest.raises(mt.RunError, match="the disk is full"):
        record(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_there_is_refused_even_an_empty_one(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(mt.RunError, match="is there already"):
        record(tmp_path / "run")
    assert os.listdir(tmp_path / "run") == []


def test_it_cannot_be_gone_on_with_and_says_what_to_do_instead(tmp_path):
    record(tmp_path / "run")
    for changes in ({}, {"trainable": lambda config: 1.0}):
        with pytest.raises(mt.RunError, match=r"imported from a notebook.*warm_start="):
            mt.Tuner.restore(tmp_path / "run", **changes)


# --- warm start ------------------------------------------------------------------------------------------------------


class Listening(FakeSearcher):
    """Notes what it is told of trials that are not its run's own."""

    def __init__(self):
        super().__init__()
        self.heard = []

    @mt.hookimpl
    def on_start(self, trial):
        if trial.number < 0:
            self.heard.append(("start", trial.config))

    @mt.hookimpl
    def on_result(self, trial, result):
        if trial.number < 0:
            self.heard.append(("result", result.training_iteration, result.metrics["loss"]))

    @mt.hookimpl
    def on_end(self, trial):
        if trial.number < 0:
            self.heard.append(("end", trial.state))


def test_another_run_learns_from_it(tmp_path, tuner):
    record(tmp_path / "past")
    searcher = Listening()
    tuner(searcher=searcher, warm_start=[tmp_path / "past"]).fit()
    assert sorted(map(str, searcher.heard)) == sorted(
        map(
            str,
            [
                ("start", {"x": 0.5}), ("result", 1, 3.0), ("result", 2, 1.0), ("end", "COMPLETED"),
                ("start", {"x": 0.1}), ("result", 1, 2.0), ("end", "STOPPED"),
            ],
        )
    )  # fmt: skip


def test_of_another_space_the_trials_that_lie_in_this_one_are_learnt_from(tmp_path, tuner):
    trials = [PastTrial({"x": x, "y": y}, results=steps(x)) for x, y in ((0.2, 5), (0.2, 50), (2.0, 5))]
    record(tmp_path / "past", trials, param_space={"x": mt.uniform(0, 10), "y": mt.randint(0, 100)})
    searcher = Listening()
    space = {"x": mt.uniform(0, 1), "y": mt.randint(0, 10)}
    tuner(searcher=searcher, param_space=space, warm_start=[tmp_path / "past"]).fit()
    assert [fact[1] for fact in searcher.heard if fact[0] == "start"] == [{"x": 0.2, "y": 5}]
