"""One process writes to a run; who comes second is told who that is, and takes over once it is dead."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

import microtune as mt

WRITER = """
import sys, time
import microtune as mt

def train(config):
    mt.report(loss=config["x"])
    if mt.get_context().attempt == 1:
        print("reported", flush=True)
        time.sleep(60)

mt.Tuner(
    train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=2, loggers=[],
    executor="local:workers=2", name="run", storage_path=sys.argv[1],
).fit()
"""


@pytest.fixture
def writer(tmp_path, monkeypatch):
    """A driver whose two workers are in the middle of their trials; `later:train` is the same for those who come after it."""
    (tmp_path / "writer.py").write_text(WRITER)
    (tmp_path / "later.py").write_text("def train(config):\n    return {'loss': config['x']}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with subprocess.Popen([sys.executable, tmp_path / "writer.py", tmp_path], stdout=subprocess.PIPE, text=True) as process:
        run = tmp_path / "run"
        deadline = time.monotonic() + 60
        while not (run / "journal.db").exists() or len(_reported(run)) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield process
        process.kill()


def _reported(run):
    try:
        return [trial for trial in mt.ResultGrid(run) if trial.metrics]
    except mt.RunError:  # it is only just being made
        return []


def microtune(*command):
    return subprocess.run(
        [sys.executable, "-m", "microtune", *map(str, command)], capture_output=True, text=True, timeout=60, check=False
    )


def test_who_comes_second_is_told_who_the_first_one_is_and_readers_are_welcome(writer, tmp_path):
    first = f"process {writer.pid} on {socket.gethostname()} is writing to the run in '{tmp_path}/run'"
    with pytest.raises(mt.RunError, match=first):
        mt.Tuner.restore(tmp_path / "run", "later:train").fit()
    repaired = microtune("repair", tmp_path / "run")
    assert (repaired.returncode, first in repaired.stderr) == (1, True)
    for command in (["ls", tmp_path], ["show", tmp_path / "run"], ["best", tmp_path / "run"], ["export", tmp_path / "run"]):
        looked = microtune(*command)
        assert (looked.returncode, looked.stderr) == (0, ""), command
    assert "running" in microtune("ls", tmp_path).stdout


def test_a_writer_that_is_dead_locks_nobody_out_though_its_workers_may_still_be_there(writer, tmp_path):
    writer.kill()
    writer.wait()
    results = mt.Tuner.restore(tmp_path / "run", "later:train").fit()
    assert not results.errors, results.errors[0].error
    assert [len(trial.history) for trial in results] == [1, 1]
