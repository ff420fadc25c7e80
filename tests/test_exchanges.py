"""A scheduler, an executor or a logger is exchanged for another, before a run or on the way, and nothing is lost."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import microtune as mt

SPACE = {"x": mt.uniform(0, 1), "kind": mt.choice(["a", {"b": mt.randint(0, 10)}])}
EXECUTORS = ["inline", "local:workers=2"]
SCHEDULERS = [None, "asha:max_t=9,reduction_factor=3", "asha:max_t=9,reduction_factor=3,type=promotion"]


def train(config):
    start = 0
    if (folder := mt.get_checkpoint()) is not None:
        start = int((folder / "step").read_text())
    for step in range(start + 1, 10):
        with mt.checkpoint_dir() as folder:
            (folder / "step").write_text(str(step))
            mt.report(loss=config["x"] + 1 / step, checkpoint=folder)


def tuner(folder: Path, **changes) -> mt.Tuner:
    given = {"metric": "loss", "mode": "min", "num_samples": 12, "seed": 7, "loggers": [], "param_space": SPACE, "name": "run"}
    return mt.Tuner(train, **{**given, "storage_path": folder, **changes})


def steps(trial: mt.TrialResult) -> list[int]:
    return [row["training_iteration"] for row in trial.history]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_trial_is_told_once_whatever_is_composed(tmp_path, executor, scheduler):
    results = tuner(tmp_path, executor=executor, scheduler=scheduler, loggers=["csv", "json", "console:quiet=true"]).fit()
    assert len(results) == 12
    assert not results.errors
    for trial in results:
        assert steps(trial) == list(range(1, len(trial.history) + 1))
    total = sum(len(trial.history) for trial in results)
    assert total == 12 * 9 if scheduler is None else 12 <= total < 12 * 9


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_grid_is_run_in_full(tmp_path, executor):
    space = {"x": mt.grid_search([0.1, 0.2, 0.3]), "kind": mt.grid_search(["a", "b"])}
    results = tuner(tmp_path, executor=executor, param_space=space, num_samples=2).fit()
    assert sorted((trial.config["x"], trial.config["kind"]) for trial in results) == sorted(
        [(x, kind) for x in (0.1, 0.2, 0.3) for kind in "ab"] * 2
    )


def test_a_seed_gives_the_same_trials_and_results_on_every_executor(tmp_path):
    inline, local = (
        [(trial.config, [row["loss"] for row in trial.history]) for trial in tuner(tmp_path / str(i), executor=executor).fit()]
        for i, executor in enumerate(EXECUTORS)
    )
    assert inline == local


def test_the_loggers_files_hold_what_the_journal_holds(tmp_path):
    results = tuner(tmp_path, scheduler=SCHEDULERS[1], loggers=["csv", "json"]).fit()
    expected = sorted((trial.id, row["training_iteration"], row["loss"]) for trial in results for row in trial.history)
    with open(Path(results.path, "results.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "loss"]
    assert sorted((row["trial"], int(row["training_iteration"]), float(row["value"])) for row in rows) == expected
    lines = [json.loads(line) for line in Path(results.path, "events.jsonl").read_text().splitlines()]
    told = [line for line in lines if line["kind"] == "result"]
    assert sorted((line["trial"], line["iteration"], line["metrics"]["loss"]) for line in told) == expected


def test_a_run_goes_on_with_another_executor_scheduler_and_more_trials(tmp_path):
    first = tuner(tmp_path, executor="local:workers=2", scheduler=SCHEDULERS[2]).fit()
    before = {trial.id: trial.history for trial in first}
    second = mt.Tuner.restore(first.path, train, executor="inline", scheduler="asha:max_t=5", num_samples=20).fit()
    assert len(second) == 20
    for trial in second:
        kept = before.get(trial.id, [])
        assert trial.history[: len(kept)] == kept
        assert steps(trial) == list(range(1, len(trial.history) + 1))


class Shout:
    """Says on stdout that so much was committed."""

    @mt.hookimpl
    def log(self, event: mt.Event) -> None:
        if event.seq == 500:
            print("500 events", flush=True)


KILLED = """
import sys; sys.path.insert(0, {folder!r})
from test_exchanges import Path, Shout, tuner
tuner(Path({place!r}), num_samples=400, loggers=["json", Shout()]).fit()
"""


def test_a_run_whose_process_was_killed_loses_and_repeats_nothing(tmp_path):
    code = KILLED.format(folder=os.path.dirname(__file__), place=os.fspath(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "500 events\n"
        process.kill()
    before = {trial.id: trial.history for trial in mt.ResultGrid(tmp_path / "run")}
    assert len(before) < 400, "it was killed on the way"
    results = mt.Tuner.restore(tmp_path / "run", train, loggers=["json"]).fit()
    assert len(results) == 400
    assert not results.errors
    for trial in results:
        assert steps(trial) == list(range(1, 10))
        kept = before.get(trial.id, [])
        assert trial.history[: len(kept)] == kept
    lines = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [one["seq"] for one in lines] == list(range(1, len(lines) + 1))


def test_nothing_is_left_behind(tmp_path):
    tuner(tmp_path, executor="local:workers=2", scheduler=SCHEDULERS[1]).fit()
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False)
    assert [line for line in listed.stdout.splitlines() if " ps " not in line] == []
