"""Nothing is left behind, however the driver ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from microtune import OptionError

DRIVER = """
import os, signal, subprocess, sys, time
import microtune as mt
from types import SimpleNamespace
from microtune_execute_local import LocalExecutor

def train(config):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "600"])
    mt.report(loss=1.0)
    time.sleep(600)

run = mt.Facts(id="r", name="r", path=".", seed=1, space=None, objective=SimpleNamespace(metrics=("loss",)), num_samples=1,
               limits=mt.Limits(), resources={"cpu": 1.0}, trainable=train)
executor = LocalExecutor(workers=2, start=sys.argv[1])
executor.setup(run)
for name in "ab":
    executor.launch(run, mt.Trial(name, 0, {}, attempt=1, folder="trials/" + name))
reports = []
while len(reports) < 2:
    reports += executor.wait(run, time.time() + 30).reports
if sys.argv[2] == "fork":
    if os.fork() == 0:
        time.sleep(600)
print("running", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("more", ["", "fork"], ids=["alone", "with-a-forked-process"])
@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_a_driver_that_is_killed_leaves_no_process(start, more, tmp_path, mark, alive, eventually):
    """Even where a process that the user's program has forked lives on, and holds all its sockets."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, start, more], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    )
    assert driver.stdout.readline() == b"running\n"
    eventually(lambda: len(alive()) == 6 + bool(more))
    driver.kill()
    driver.wait()
    eventually(lambda: len(alive()) == bool(more))
    try:
        os.killpg(driver.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    driver.stdout.close()


def test_modules_can_be_imported_before_the_workers_are_forked(stage, tmp_path, monkeypatch):
    (tmp_path / "heavy.py").write_text("import os\nPID = os.getpid()\n")
    monkeypatch.syspath_prepend(tmp_path)

    def train(config):
        import heavy

        return {"loss": heavy.PID - os.getppid()}

    s = stage(train, preload=["heavy"])
    trial = s.launch()
    s.exit_of(trial)
    assert s.results_of(trial)[0].metrics["loss"] == 0


def test_a_module_that_cannot_be_imported_is_named(stage):
    s = stage(lambda config: None, preload="no_such_module")
    trial = s.launch()
    with pytest.raises(OptionError, match="preload: the worker processes cannot import 'no_such_module'"):
        s.exit_of(trial)


def test_ctrl_c_in_the_terminal_is_not_the_workers(stage):
    import time

    def train(config):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(0.05)
        return float(os.getsid(0) == os.getpid())

    s = stage(train)
    for _ in range(2):
        trial = s.launch()
        assert s.exit_of(trial).failure is None
        assert s.results_of(trial)[0].metrics["loss"] == 1


def test_a_worker_inherits_only_what_it_needs(stage):
    def train(config):
        import os
        from pathlib import Path

        targets = {}
        for fd in Path("/proc/self/fd").iterdir():
            try:
                targets[int(fd.name)] = os.readlink(fd)
            except OSError:
                pass
        return {"loss": 0, "fds": [f"{fd}: {target}" for fd, target in sorted(targets.items()) if fd > 2],
                "stdin": targets[0], "path": __import__("sys").path, "argv": __import__("sys").argv, "cwd": os.getcwd()}

    s = stage(train, workers=3)
    trials = [s.launch() for _ in range(3)]
    for trial in trials:
        s.exit_of(trial)
        metrics = s.results_of(trial)[0].metrics
        assert len(metrics["fds"]) == 5, metrics["fds"]  # three pipes, its stack, the trainable
        assert metrics["stdin"] == os.devnull
        assert (metrics["path"], metrics["argv"], metrics["cwd"]) == (sys.path, sys.argv, os.getcwd())
