"""What another process asks of a run: to end, as Ctrl-C does, and to stop a trial."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

import microtune as mt
from microtune.cli import main

SECONDS = 60
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals there")

DRIVER = """
import sys
import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher

def train(config):
    for step in range(3):
        yield {"loss": 1.0}
        print("step", flush=True)
        sys.stdin.readline()

mt.Tuner(train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=2, searcher=FakeSearcher(),
         executor=FakeExecutor(), name="run", storage_path=sys.argv[1], loggers=[]).fit()
"""


@contextmanager
def driver(storage, **how):
    """A process that drives a run in `storage`, each of whose trials reports at a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, storage], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **how
    )
    try:
        assert process.stdout.readline() == "step\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def finished(tuner):
    return tuner().fit().path


@pytest.mark.parametrize("in_background", [False, True])
def test_a_run_is_ended_as_by_ctrl_c(tmp_path, in_background, capsys):
    """Also one that a script started with `&`, for which the shell has interrupts ignored."""
    how = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)} if in_background else {}
    with driver(tmp_path, **how) as process:
        assert main(["stop", str(tmp_path / "run"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["pid"] == process.pid
        line(process)
        assert process.wait(SECONDS) in (130, -signal.SIGINT, 143)
    assert not mt.Reader(tmp_path / "run").last("closed").body["finished"]


def test_a_trial_is_stopped_and_the_run_goes_on(tmp_path, capsys):
    with driver(tmp_path) as process:
        assert main(["stop", str(tmp_path / "run"), "0"]) == 0
        assert "asked: of each of these trials, the next result will be the last: 00000" in capsys.readouterr().out
        while process.poll() is None:
            try:
                line(process)
            except BrokenPipeError:
                break
            process.stdout.readline()
        assert process.wait(SECONDS) == 0
    first, second = mt.ResultGrid(tmp_path / "run")
    assert (first.state, first.reason, second.state) == ("STOPPED", "stopped on request", "COMPLETED")
    assert len(first.history) < len(second.history) == 3


def test_a_process_that_only_has_the_number_of_the_driver_is_left_alone(finished):
    """The driver is dead, and its number went to another process, which would not survive the signal."""
    innocent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with open(os.path.join(finished, "journal.lock"), "w") as file:
            file.write(f"process {innocent.pid} on {socket.gethostname()}")
        with pytest.raises(mt.RunError, match=r"nobody drives the run in .*: there is nothing to stop"):
            mt.stop_run(finished)
        assert innocent.poll() is None
    finally:
        innocent.communicate(b"\n")
    assert innocent.returncode == 0


@pytest.mark.parametrize(
    ("holder", "why"),
    [("process 1 on elsewhere", "driven from elsewhere, not from here"), ("", "another process drives .* stop it there")],
)
def test_a_run_that_cannot_be_told_from_here_is_ended_there(tmp_path, holder, why):
    with driver(tmp_path):
        (tmp_path / "run" / "journal.lock").write_text(holder)
        with pytest.raises(mt.RunError, match=why):
            mt.stop_run(tmp_path / "run")


def test_nothing_is_written_through_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with driver(tmp_path):
        (tmp_path / "run" / "requests").symlink_to(elsewhere)
        with pytest.raises(mt.RunError, match="would write outside of the run"):
            mt.stop_trial(tmp_path / "run", "0")
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("trial", "why"), [("00000", "trial 00000 of the run in .* is over: it is COMPLETED"), ("7", "has no trial '7'")]
)
def test_what_cannot_be_stopped_is_refused(finished, trial, why, capsys):
    with pytest.raises(mt.RunError, match=why):
        mt.stop_trial(finished, trial)
    assert main(["stop", finished, trial]) == 1
    assert not os.path.exists(os.path.join(finished, "requests"))
