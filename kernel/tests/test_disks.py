"""Disks that are full or cannot be written: real ones, mounted in a name space of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher


def may_mount():
    command = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not may_mount(), reason="mounting is not allowed here")


def in_a_name_space(*commands):
    """Shell commands, in turn; a Python programme is given in lines."""
    shell = "\n".join(f"{sys.executable} -c '{textwrap.dedent(one)}'" if "\n" in one else one for one in commands)
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell], capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip


TRAIN = """
import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher

def train(config):
    for step in range(5):
        mt.report(loss=config["x"] / (step + 1))
"""


@pytest.fixture
def house(tmp_path):
    (tmp_path / "my_training.py").write_text(TRAIN)
    return tmp_path


def programme(house, body):
    return f'\nimport sys\nsys.path.insert(0, "{house}")\nfrom my_training import *\n' + textwrap.dedent(body)


def test_a_run_on_a_disk_that_is_full_loses_nothing_and_goes_on_once_there_is_room(house):
    disk = house / "disk"
    disk.mkdir()
    start = f"""
        try:
            mt.Tuner(
                train, param_space={{"x": mt.uniform(0, 1)}}, metric="loss", mode="min", num_samples=2000, name="run",
                searcher=FakeSearcher(), executor=FakeExecutor(workers=4), loggers=[], storage_path="{disk}",
            ).fit()
        except mt.RunError as error:
            print("first:", error)
        print("trials:", len(mt.ResultGrid("{disk}/run")))
    """
    tries = f"""
        try:
            mt.Tuner.restore("{disk}/run", train, searcher=FakeSearcher(), executor=FakeExecutor()).fit()
        except mt.RunError as error:
            print("again:", error)
    """
    goes_on = f"""
        before = len(mt.ResultGrid("{disk}/run"))
        results = mt.Tuner.restore(
            "{disk}/run", train, num_samples=2001, searcher=FakeSearcher(), executor=FakeExecutor(workers=4)
        ).fit()
        print("then:", len(results), {{trial.state for trial in results}}, {{len(trial.history) for trial in results}}, before)
    """
    done = in_a_name_space(
        f"mount -t tmpfs -o size=400k tmpfs {disk}", programme(house, start), programme(house, tries),
        f"mount -o remount,size=30m {disk}", programme(house, goes_on),
    )  # fmt: skip
    assert done.stderr == ""
    first, trials, again, then = done.stdout.splitlines()
    assert f"first: the journal in '{disk}/run' cannot be written: database or disk is full" in first
    assert "What was committed before is safe; make room" in first
    number = int(trials.removeprefix("trials: "))
    assert 20 < number < 2000
    assert "again: the journal" in again
    assert "full" in again
    assert then == f"then: 2001 {{'COMPLETED'}} {{5}} {number}"


@pytest.mark.parametrize("how", ["closed", "killed", "killed, without its shared memory"])
def test_a_run_on_a_disk_that_cannot_be_written_is_read_in_full_and_not_resumed(how, tuner, opened, killed, house):
    def train(config):
        for step in (1, 2):
            mt.report(loss=config["x"] / step)

    given = {"num_samples": 9, "searcher": FakeSearcher(), "executor": FakeExecutor()}
    if how == "closed":
        tuner(train, **given).fit()
        folder = house / "run"
    else:
        run = opened(tuner(train, **given))
        for _ in range(25):
            run.step()
        folder = killed(run)
        if "without" in how:
            (folder / "journal.db-shm").unlink()
    shutil.copytree(folder, house / "writable")
    count = len(mt.ResultGrid(house / "writable"))
    assert count > 5
    body = f"""
        grid = mt.ResultGrid("{folder}")
        print(len(grid), [len(trial.history) for trial in grid])
        try:
            mt.Tuner.restore("{folder}", train, searcher=FakeSearcher(), executor=FakeExecutor()).fit()
        except mt.RunError as error:
            print(error)
    """
    done = in_a_name_space(
        f"mount --bind {folder} {folder}", f"mount -o remount,bind,ro {folder}", programme(house, body),
        f"{sys.executable} -m microtune best {folder}", f"{sys.executable} -m microtune repair {folder}",
    )  # fmt: skip
    read, refused, *best = done.stdout.splitlines()
    assert read == f"{count} {[len(trial.history) for trial in mt.ResultGrid(house / 'writable')]}"
    assert "cannot be written: Read-only file system" in refused
    assert any(line.startswith("metrics") for line in best)
    assert done.stderr.splitlines() == [
        f"microtune: error: the file journal.lock in {str(folder)!r} cannot be written: Read-only file system"
    ]
