from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.summary import summarise
from microtune.testing import FakeExecutor, FakeSearcher


def tuner(path: Path, **more: Any) -> mt.Tuner:
    """Three trials, of which the one with x = 0 fails."""
    given = {"metric": "loss", "mode": "min", "executor": FakeExecutor(), "num_samples": 3, **more}
    searcher = FakeSearcher(configs=[{"x": 2}, {"x": 0}, {"x": 1}])
    return mt.Tuner(
        lambda config: {"loss": config["x"], "inverse": 1 / config["x"]}, param_space={"x": mt.uniform(0, 9)},
        searcher=searcher, loggers=(), name="run", storage_path=path, **given,
    )  # fmt: skip


def test_a_finished_run_is_summed_up(tmp_path: Path) -> None:
    summary = summarise(tuner(tmp_path).fit())
    assert (summary.name, summary.status, summary.counts) == ("run", "finished", {"COMPLETED": 2, "FAILED": 1})
    assert summary.best is not None
    assert summary.best.config == {"x": 1}
    told = summary.as_json()
    assert (told["trials"], told["metric"], told["best"]["metrics"]["loss"]) == (3, "loss", 1)


def test_several_metrics_have_no_best_one(tmp_path: Path) -> None:
    assert summarise(tuner(tmp_path, metric=["loss", "inverse"], mode=["min", "min"]).fit()).best is None


def test_a_run_in_memory_has_no_session(tmp_path: Path) -> None:
    results = mt.Tuner(
        lambda config: 1, param_space={"x": mt.uniform(0, 9)}, metric="loss", mode="min", executor=FakeExecutor(),
        searcher=FakeSearcher(configs=[{"x": 1}]), loggers=(), storage_path=":memory:",
    ).fit()  # fmt: skip
    assert (summarise(results).status, summarise(results).began) == ("finished", None)


def test_a_run_that_goes_on_is_told_from_one_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tuner(tmp_path).open()
    try:
        run.step()
        grid = mt.ResultGrid(tmp_path / "run")
        assert (summarise(grid).status, summarise(grid).reason) == ("running", f"in process {os.getpid()}")
        with monkeypatch.context() as patch:
            patch.setattr(socket, "gethostname", lambda: "another")
            assert "as far as its journal says" in str(summarise(grid).reason)
    finally:
        run.close()
    grid.refresh()
    assert summarise(grid).status == "interrupted"


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    code = """
import os, sys
import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
run = mt.Tuner(lambda config: 1, param_space={"x": mt.uniform(0, 9)}, metric="loss", mode="min", loggers=(), name="run",
    executor=FakeExecutor(), searcher=FakeSearcher(configs=[{"x": 1}]), storage_path=sys.argv[1]).open()
run.step()
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60).returncode == 9
    assert summarise(mt.ResultGrid(tmp_path / "run")).status == "killed"
