"""A run whose process is killed with SIGKILL, its W&B service with whatever it had not written, and then resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_log_wandb import WandbLogger

SECONDS = 60
STEPS = 6
MARK = "TEST_KILLED_MARK"


def train(config: dict[str, Any]) -> None:
    for step in range(1, STEPS + 1):
        mt.report(loss=config["x"] / step)
        if (mt.get_context().number, step) == _KILLED:
            os.kill(os.getpid(), signal.SIGKILL)


_KILLED = (-1, -1)


def begin(path: str, trial: str, step: str) -> None:
    global _KILLED  # noqa: PLW0603
    _KILLED = (int(trial), int(step))
    tuner(path).fit()


def tuner(path: str | Path) -> mt.Tuner:
    return mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=8, seed=1, name="run",
        storage_path=path, searcher=FakeSearcher(), executor=FakeExecutor(workers=2), loggers=[WandbLogger()],
    )  # fmt: skip


def resume(path: Path) -> mt.ResultGrid:
    plugins: dict[str, Any] = {"searcher": FakeSearcher(), "executor": FakeExecutor(workers=2)}
    return mt.Tuner.restore(path / "run", train, loggers=[WandbLogger()], **plugins).fit()


def in_a_process_of_its_own(path: Path, trial: int, step: int) -> subprocess.CompletedProcess[str]:
    code = "import sys, test_killed; test_killed.begin(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), MARK: str(path)}
    return subprocess.run(
        [sys.executable, "-c", code, str(path), str(trial), str(step)], env=environment, timeout=SECONDS, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def check(results: mt.ResultGrid, written: list[Any]) -> None:
    """As the journal has it, each once."""
    assert {w.trial: [(row["_step"], row["loss"]) for row in w.rows] for w in written} == {
        each.id: [(row["training_iteration"], row["loss"]) for row in each.history] for each in results
    }
    assert [w.trial for w in written] == [each.id for each in results]
    assert {(w.exit_code, w.summary["microtune/state"]) for w in written} == {(0, "COMPLETED")}


@pytest.mark.parametrize(("trial", "step"), [(0, 1), (2, 3), (5, 6), (7, 6)])
def test_each_result_is_there_once_and_each_trial_in_one_folder(
    trial: int, step: int, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    killed = in_a_process_of_its_own(tmp_path, trial, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    check(resume(tmp_path), read(tmp_path / "run"))


@pytest.mark.parametrize("turns", [3, 15])
def test_a_run_that_was_ended_in_order_before_it_was_over_goes_on(
    turns: int, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    run = tuner(tmp_path).open()
    for _ in range(turns):
        run.step()
    run.close()
    check(resume(tmp_path), read(tmp_path / "run"))


def test_a_run_says_nothing_on_the_terminal_and_leaves_no_process(tmp_path: Path) -> None:
    ran = in_a_process_of_its_own(tmp_path, -1, -1)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert len(list(tmp_path.glob("run/wandb/offline-run-*"))) == 8
    assert services(str(tmp_path)) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds processes in the /proc of Linux")
def test_a_service_is_found_where_there_is_one(tmp_path: Path) -> None:
    """Without this the test above could not fail."""
    code = "import wandb, time; wandb.setup(); print(flush=True); time.sleep(600)"
    environment = {**os.environ, MARK: str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(services(str(tmp_path))) == 1
        process.kill()
    until = time.monotonic() + SECONDS
    while services(str(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert services(str(tmp_path)) == []


def services(mark: str) -> list[str]:
    """W&B's processes that have inherited this mark and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"wandb-core" in (process / "cmdline").read_bytes():
                if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                    found.append(process.name)
        except OSError:  # gone, or somebody else's
            continue
    return found
