"""A run is extended, changed and repaired with real plugins, and others learn from it. kernel/tests has it all with fakes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import microtune as mt
from microtune.cli import main

TRAINING = """
import os
import microtune as mt

def train(config):
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, 10):
        if step == 5 and config["x"] > 0.7 and not os.path.exists(os.environ["FIXED"]):
            raise ValueError("not fixed yet")
        with mt.checkpoint_dir() as folder:
            (folder / "step").write_text(str(step))
            mt.report(loss=config["x"] / step, size=config["x"] * step, checkpoint=folder)
"""


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    (tmp_path / "my_training.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FIXED", str(tmp_path / "fixed"))
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path))
    return tmp_path


def tuner(**changes) -> mt.Tuner:
    given = {
        "param_space": {"x": mt.uniform(0, 1)}, "metric": "loss", "mode": "min", "num_samples": 8, "seed": 3, "loggers": [],
        "name": "run", "executor": "local:workers=2",
    }  # fmt: skip
    return mt.Tuner("my_training:train", **{**given, **changes})


def steps(trial: mt.TrialResult) -> list[int]:
    return [row["training_iteration"] for row in trial.history]


def test_what_failed_is_retried_with_more_trials_another_scheduler_and_another_logger(at_home):
    first = tuner(loggers=["json"]).fit()
    failed = {trial.id: trial.config for trial in first.errors}
    assert 0 < len(failed) < 8
    (at_home / "fixed").touch()
    changes = {"scheduler": "asha:max_t=9,reduction_factor=3", "executor": "inline", "loggers": ["json", "csv"]}
    results = mt.Tuner.restore(at_home / "run", retry_failed=True, num_samples=12, **changes).fit()
    assert len(results) == 12 + len(failed)
    retried = results[8 : 8 + len(failed)]
    assert [trial.config for trial in retried] == list(failed.values())
    assert all(steps(trial)[0] == 5 for trial in retried), "from their checkpoints"
    assert [steps(trial) for trial in results][:8] == [steps(trial) for trial in first]
    lines = [json.loads(line) for line in (at_home / "run" / "events.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    with open(at_home / "run" / "results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "loss"]
    assert len(rows) == sum(len(trial.history) for trial in results), "a logger that is new hears everything"
    mt.Tuner.restore(at_home / "run", num_samples=13, loggers=[]).fit()
    after = (at_home / "run" / "events.jsonl").read_text().splitlines()
    assert len(after) == len(lines), "one that was left out hears nothing more"


def test_a_narrower_space_stops_what_is_paused_outside_of_it(at_home):
    (at_home / "fixed").touch()
    promotion = "asha:max_t=9,reduction_factor=3,type=promotion"
    first = tuner(scheduler=promotion, num_samples=9).fit()
    paused = {trial.id for trial in first if trial.state == "PAUSED"}
    outside = {trial.id for trial in first if trial.id in paused and trial.config["x"] > 0.5}
    assert outside
    results = mt.Tuner.restore(at_home / "run", param_space={"x": mt.uniform(0, 0.5)}, num_samples=15).fit()
    assert {trial.id for trial in results if trial.reason == "outside the new space"} == outside
    assert all(trial.config["x"] <= 0.5 for trial in results[9:])
    assert not [trial for trial in results if trial.state == "PAUSED" and trial.config["x"] > 0.5]


def test_a_damaged_run_is_repaired_and_gone_on_with_from_the_command_line(at_home, capsys):
    (at_home / "fixed").touch()
    tuner(loggers=["json"]).fit()
    journal = at_home / "run" / "journal.db"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 255
    journal.write_bytes(content)
    assert main(["best", "run"]) == 1
    assert "`microtune repair" in capsys.readouterr().err
    assert main(["repair", "run"]) == 0
    said = capsys.readouterr().out
    assert "Go on with `microtune resume" in said
    assert "Move these away, and they are written anew: events.jsonl" in said
    Path(at_home, "run", "events.jsonl").rename(at_home / "events-before.jsonl")
    assert main(["resume", "run", "--quiet"]) == 0
    results = mt.ResultGrid(at_home / "run")
    assert [steps(trial) for trial in results] == [list(range(1, 10))] * 8
    lines = (at_home / "run" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_a_new_run_learns_from_old_ones_from_the_command_line(at_home, capsys):
    (at_home / "fixed").touch()
    tuner(num_samples=2).fit()
    new = ["--space", "x=uniform(0, 1)", "--metric", "size", "--mode", "max", "--quiet"]
    assert main(["run", "my_training:train", "--name", "new", "--warm-start", "run", *new]) == 0
    settings = mt.ResultGrid(at_home / "new").settings
    assert [(Path(one["path"]).name, one["seq"] > 20) for one in settings["warm_started"]] == [("run", True)]
    (at_home / "run").rename(at_home / "elsewhere")
    assert main(["resume", "new", "--num-samples", "2", "--quiet"]) == 2
    assert "If it was moved, give all the runs again" in capsys.readouterr().err
    assert main(["resume", "new", "--num-samples", "2", "--warm-start", "elsewhere", "--quiet"]) == 0
    assert main(["resume", "new", "--num-samples", "3", "--warm-start", "none", "--quiet"]) == 0
    assert len(mt.ResultGrid(at_home / "new")) == 3
