"""The driver's end, good and bad, each time as a program of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from microtune import uniform
from microtune.testing.fakes import FakeExecutor

PROGRAM = """
import json, os, sys, time
from pathlib import Path
import microtune as mt
from microtune.testing.fakes import FakeSearcher
from microtune_execute_ray import RayExecutor

def train(config):
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    (Path(config["pids"]) / str(os.getpid())).touch()
    for step in range(first + 1, 21):
        time.sleep(0.05)
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=config["x"] * step, first=first, checkpoint=draft)

folder, options = sys.argv[1], json.loads(sys.argv[2])
given = dict(searcher=FakeSearcher(), executor=RayExecutor(**options), loggers=())
if os.path.exists(os.path.join(folder, "run")):
    tuner = mt.Tuner.restore(os.path.join(folder, "run"), train, **given)
else:
    pids = os.path.join(folder, "pids")
    os.mkdir(pids)
    tuner = mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1), "pids": pids}, metric="loss", mode="min", seed=1, num_samples=8,
        storage_path=folder, name="run", max_concurrent_trials=2, **given,
    )
rows = [[[r["training_iteration"], r["loss"], r["first"]] for r in trial.history] for trial in tuner.fit()]
print("\\n" + json.dumps(rows))
"""


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Text in the environment of every process that a program of this test starts."""
    mark = f"MICROTUNE_TEST={uuid.uuid4()}"
    monkeypatch.setenv(*mark.split("="))
    yield mark
    for pid in processes(mark):  # a test has failed
        os.kill(pid, signal.SIGKILL)


def processes(mark: str) -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if int(entry.parent.name) != os.getpid() and mark.encode() in entry.read_bytes():
                found.add(int(entry.parent.name))
        except OSError:  # it has just ended
            pass
    return found


class Program:
    def __init__(self, folder: Path, **options: Any) -> None:
        self._folder = folder
        (folder / "program.py").write_text(PROGRAM)
        command = [sys.executable, str(folder / "program.py"), str(folder), json.dumps(options)]
        with (folder / "errors.txt").open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)

    def is_in_the_middle(self) -> bool:
        assert self.process.poll() is None, (self._folder / "errors.txt").read_text()
        return bool(list(self._folder.glob("run/trials/*3/checkpoints/5-1")))  # the fifth step of the fourth trial

    def workers(self) -> set[int]:
        return {int(file.name) for file in (self._folder / "pids").iterdir()}

    def rows(self) -> list[Any]:
        out, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, (self._folder / "errors.txt").read_text()
        return json.loads(out.splitlines()[-1])


@pytest.fixture
def expected(fit, tmp_path):
    """What the trials report where nobody disturbs them."""

    def train(config):
        return [(step, config["x"] * step) for step in range(1, 21)]

    space = {"x": uniform(0, 1), "pids": "x"}
    calm = fit(lambda config: 0.0, param_space=space, num_samples=8, executor=FakeExecutor(), name="calm")
    return [train(trial.config) for trial in calm]


def test_after_kill_9_no_worker_is_left_and_a_resume_on_the_same_cluster_goes_on_from_the_checkpoints(
    cluster, expected, wait_for, lives, tmp_path
):
    program = Program(tmp_path, address=cluster)
    wait_for(program.is_in_the_middle)
    program.process.kill()
    program.process.communicate()
    workers = program.workers()
    assert workers
    wait_for(lambda: not any(map(lives, workers)))
    rows = Program(tmp_path, address=cluster).rows()
    assert [[(iteration, loss) for iteration, loss, _ in trial] for trial in rows] == expected
    assert rows[3][-1][2] >= 4  # this one was in its sixth step, or a little further


def test_sigterm_ends_the_run_in_order_and_the_ray_that_it_started(cluster, expected, wait_for, mark, tmp_path):
    init = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 100_000_000, "address": "local"}
    program = Program(tmp_path, init=init)
    wait_for(program.is_in_the_middle)
    program.process.terminate()
    program.process.communicate(timeout=60)
    assert program.process.returncode == 128 + signal.SIGTERM, (tmp_path / "errors.txt").read_text()
    wait_for(lambda: not processes(mark))
    rows = Program(tmp_path, init=init).rows()
    assert [[(iteration, loss) for iteration, loss, _ in trial] for trial in rows] == expected
    wait_for(lambda: not processes(mark))
