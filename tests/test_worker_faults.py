"""Time limits and the deaths of workers, as a user meets them: through Tuner and on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import microtune as mt

WORK = '''
import os, re, signal, time
import microtune as mt

def train(config):
    if config["how"] != "silent":
        mt.report(loss=1.0)
    {"silent": the_place_where_it_hangs, "between": the_place_where_it_hangs, "busy": reports_for_ever,
     "in C": the_place_that_backtracks, "crash": the_place_where_it_crashes}[config["how"]]()

def the_place_where_it_hangs():
    time.sleep(600)

def the_place_that_backtracks():
    re.match("(a|aa)+$", "a" * 200 + "b")

def reports_for_ever():
    while True:
        mt.report(loss=1.0)

def the_place_where_it_crashes():
    os.kill(os.getpid(), signal.SIGSEGV)
'''

CASES = [
    ("silent", "report", "reported nothing for 1 s (report_timeout_s)", "in the_place_where_it_hangs"),
    ("between", "report", "reported nothing for 1 s (report_timeout_s)", "in the_place_where_it_hangs"),
    ("in C", "report", "reported nothing for 1 s (report_timeout_s)", "in the_place_that_backtracks"),
    ("between", "trial", "took longer than 1 s (trial_timeout_s)", "in the_place_where_it_hangs"),
    ("busy", "trial", "took longer than 1 s (trial_timeout_s)", "in reports_for_ever"),
]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "faulty.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("how", "limit", "reason", "where"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_a_trial_over_its_time_limit_fails_and_says_where_it_hung(code, how, limit, reason, where):
    (trial,) = mt.Tuner(
        "faulty:train", param_space={"how": how}, metric="loss", mode="min", executor="local:workers=1", loggers=[],
        storage_path=code, name="run", **{f"{limit}_timeout_s": 1.0},
    ).fit()  # fmt: skip
    assert (trial.state, trial.reason) == ("FAILED", f"trial 00000 {reason}")
    assert where in trial.error
    assert "faulty.py" in trial.error


@pytest.mark.parametrize("limit", ["report", "trial"])
def test_the_command_line_has_the_limits_and_shows_the_stack(code, limit):
    def microtune(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "microtune", *command], cwd=code, capture_output=True, text=True, timeout=60, check=False
        )

    ended = microtune(
        "run", "faulty:train", "--space", "how=between", "--metric", "loss", "--mode", "min", f"--{limit}-timeout", "1s",
        "--executor", "local", "--storage-path", ".", "--name", "run",
    )  # fmt: skip
    assert ended.returncode == 1
    assert f"({limit}_timeout_s)" in ended.stderr
    shown = microtune("show", "run", "0").stdout
    assert f"({limit}_timeout_s)" in shown
    assert "in the_place_where_it_hangs" in shown


def test_a_crash_in_c_code_says_where_after_the_third_time(code):
    (trial,) = mt.Tuner(
        "faulty:train", param_space={"how": "crash"}, metric="loss", mode="min", executor="local:workers=1", loggers=["json"],
        storage_path=code, name="run",
    ).fit()  # fmt: skip
    assert trial.state == "FAILED"
    assert trial.reason.endswith("was killed by SIGSEGV")
    assert "in the_place_where_it_crashes" in trial.error
    events = [json.loads(line) for line in (code / "run" / "events.jsonl").read_text().splitlines()]
    assert [event["failure"]["kind"] for event in events if "failure" in event] == ["lost"] * 3


def test_trials_that_die_cost_the_others_nothing_whatever_else_is_composed(code):
    """Eight trials of which each second one takes its process along, the first time; told as a run without deaths tells it."""

    def train(config):
        folder = mt.get_checkpoint()
        first = int((folder / "step").read_text()) if folder else 0
        context = mt.get_context()
        for step in range(first + 1, 6):
            if config["dies"] and context.number % 2 and context.attempt == 1 and step == 1 + context.number % 5:
                os.abort()
            with mt.checkpoint_dir() as draft:
                (draft / "step").write_text(str(step))
                mt.report(loss=config["x"] / step, checkpoint=draft)

    def told(executor, dies):
        results = mt.Tuner(
            train, param_space={"x": mt.uniform(0, 1), "dies": dies}, metric="loss", mode="min", num_samples=8, seed=3,
            searcher="random", stop={"training_iteration": 5}, executor=executor, loggers=["csv"], checkpoints={"keep": 1},
            storage_path=code, name=f"{executor.partition(':')[0]}-{dies}",
        ).fit()  # fmt: skip
        assert [len(os.listdir(Path(trial.folder) / "checkpoints")) for trial in results] == [1] * 8
        return [(trial.config["x"], [(row["training_iteration"], row["loss"]) for row in trial.history]) for trial in results]

    calm = told("inline", False)
    assert [len(rows) for _, rows in calm] == [5] * 8
    assert told("local:workers=2", True) == calm
