"""What is known of a run agrees with the kernel's own reading of its journal, at every length of it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_view_dashboard.watched import Watched

from .conftest import make_run

LATER = math.inf


@pytest.fixture
def run(tmp_path):
    configs = [{"lr": i / 10, "steps": 1 + i % 3, "fails": i == 4, "net": {"depth": i}} for i in range(10)]
    return make_run(tmp_path, "run", configs)


def test_it_agrees_with_the_result_grid(run):
    watched = Watched(str(run))
    watched.poll(LATER)
    grid = mt.ResultGrid(run)
    assert len(watched.rows) == len(grid) == 10
    for trial in grid:
        row = watched.rows[trial.id].as_json()
        assert (row["state"], row["reason"], row["number"]) == (trial.state, trial.reason, trial.number)
        assert row["iteration"] == trial.metrics.get("training_iteration")
        assert row["metrics"].get("accuracy") == trial.metrics.get("accuracy")
        assert row["config"]["net/depth"] == trial.config["net"]["depth"]
    summary = watched.summary()
    best = grid.get_best_result()
    assert summary["best"] == [{"metric": "accuracy", "value": best.metrics["accuracy"], "trial": best.id}]
    assert summary["states"] == {"COMPLETED": 9, "FAILED": 1}
    assert (summary["status"], summary["expected"]) == ("finished", 10)
    assert summary["results"] == sum(len(trial.history) for trial in grid)


def test_a_long_journal_is_read_piece_by_piece(tmp_path):
    run = make_run(tmp_path, "run", [{"lr": 0.1, "steps": 100}] * 10)
    watched, whole = Watched(str(run)), Watched(str(run))
    whole.poll(LATER)
    pieces = 0
    while pieces == 0 or watched.reading:
        before = watched.seq
        watched.poll(time.monotonic() - 1)
        assert 0 < watched.seq - before <= 256
        assert watched.status()[0] == ("reading" if watched.reading else "finished")
        pieces += 1
    assert pieces == math.ceil(whole.seq / 256)
    assert {**watched.summary(), "per_minute": None} == {**whole.summary(), "per_minute": None}


def test_what_changed_is_what_is_told(run):
    watched = Watched(str(run))
    watched.poll(LATER)
    ends = {event.trial: event.seq for event in mt.Reader(str(run)).events() if event.trial}  # the last of each
    for after in (0, 1, sorted(ends.values())[4], watched.seq):
        assert {row["id"] for row in watched.changes(after)} == {trial for trial, seq in ends.items() if seq > after}


def test_a_run_that_is_deleted_says_so_and_one_in_its_place_is_read_anew(run):
    watched = Watched(str(run))
    watched.poll(LATER)
    first = watched.id
    shutil.rmtree(run)
    watched.poll(LATER)
    status, reason = watched.status()
    assert status == "deleted"
    assert str(run) in str(reason)
    assert watched.summary()["trials"] == 10  # as it was
    make_run(run.parent, "run", [{"lr": 0.3}])
    watched.poll(LATER)
    assert watched.id != first
    assert (watched.status()[0], len(watched.rows)) == ("finished", 1)


def test_a_damaged_journal_is_a_message(run):
    journal = run / "journal.db"
    data = bytearray(journal.read_bytes())
    at = data.index(b'"depth":7')
    data[at : at + 9] = b'"depth":8'
    journal.write_bytes(data)
    watched = Watched(str(run))
    watched.poll(LATER)
    status, reason = watched.status()
    assert status == "damaged"
    assert "microtune repair" in str(reason)


def test_a_run_whose_process_died_is_killed(tmp_path):
    code = f"""
import os, microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
def train(config):
    mt.report(accuracy=1)
    mt.report(accuracy=2)
    os._exit(0)
mt.Tuner(train, param_space={{"x": mt.uniform(0, 1)}}, metric="accuracy", mode="max", searcher=FakeSearcher(),
         executor=FakeExecutor(), loggers=(), storage_path={str(tmp_path)!r}, name="run").fit()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    watched = Watched(str(tmp_path / "run"))
    watched.poll(LATER)
    assert watched.status()[0] == "killed"
    assert watched.rows["00000"].state == "RUNNING"


def test_of_several_metrics_each_has_its_best(tmp_path):
    def train(config):
        mt.report(loss=config["lr"], speed=1 - config["lr"])

    mt.Tuner(
        train, param_space={"lr": mt.grid_search([0.1, 0.2, 0.3])}, metric=["loss", "speed"], mode=["min", "min"],
        searcher=_Grid(), executor=FakeExecutor(), loggers=(), storage_path=tmp_path, name="run",
    ).fit()  # fmt: skip
    watched = Watched(str(tmp_path / "run"))
    watched.poll(LATER)
    assert [(one["metric"], one["trial"]) for one in watched.summary()["best"]] == [
        ("loss", "00000"),
        ("speed", "00002"),
    ]
    assert watched.summary()["expected"] == 3


def test_nothing_stays_open_between_two_looks(run):
    watched = Watched(str(run))
    watched.poll(LATER)
    mine = {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    assert not any(path.startswith(str(run)) for path in mine)


class _Grid(FakeSearcher):
    grid = True

    def __init__(self):
        super().__init__(configs=[{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}])
