from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import time
import microtune as mt
from types import SimpleNamespace
from microtune_execute_local import LocalExecutor

FACTOR = 3
def helper(x):
    return FACTOR * x
def train(config):
    return {"loss": helper(config["x"])}

run = mt.Facts(id="r", name="r", path=".", seed=1, space=None, objective=SimpleNamespace(metrics=("loss",)), num_samples=1,
               limits=mt.Limits(), resources={"cpu": 1.0}, trainable=train)
executor = LocalExecutor()
executor.setup(run)
executor.launch(run, mt.Trial("a", 0, {"x": 14}, attempt=1, folder="trials/a"))
while not (reports := executor.wait(run, time.time() + 30).reports):
    pass
print(reports[0].metrics["loss"], reports[1].failure)
executor.teardown(run, None)
"""


@pytest.mark.parametrize("how", ["script", "-c", "stdin"])
def test_a_program_needs_no_guard_around_its_main_part(how, tmp_path, mark):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = {"script": [str(script)], "-c": ["-c", SCRIPT], "stdin": ["-"]}[how]
    assert output_of(command, cwd=tmp_path) == "42 None\n"


def test_a_module_in_the_working_directory_is_not_taken_for_one_of_the_library(tmp_path, mark):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(SCRIPT)
    (tmp_path / "random.py").write_text("raise SystemExit('found in place of the standard one')")
    assert output_of(["scripts/script.py"], cwd=tmp_path) == "42 None\n"


def output_of(command, cwd):
    done = subprocess.run(
        [sys.executable, *command], input=SCRIPT, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout
