"""SIGINT, SIGTERM and SIGHUP to real processes, at every moment: what they print and leave, and that it can be resumed."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import microtune as mt

BOUND = 60.0  # seconds, for anything: many times what it takes
SLOTS = {"inline": 1, "local:workers=2": 2}
SCRIPT_CODES = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143, signal.SIGHUP: 129}  # a shell calls the first one 130
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

WORK = '''
import os, sys, time
from pathlib import Path
import microtune as mt

def train(config):
    """Counts, with a checkpoint at each step; comes to its end once it may."""
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 10_000):
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
            mt.report(loss=config["x"] / step, first=first, checkpoint=draft)
        if Path("end").exists() and step > first + 1:
            return
        time.sleep(0.01)

def stubborn(config):
    """Reports once and then works for ever."""
    mt.report(loss=1.0)
    while not Path("end").exists():
        time.sleep(0.01)

def reached(what):
    """Say that this has begun, and go on once it may."""
    if os.environ.get("AT") == what and not Path("here").exists():
        Path("here").touch()
        while not Path("go").exists():
            time.sleep(0.01)

class Searcher:
    """At the moment that is named AT, it takes its time."""
    @mt.hookimpl
    def setup(self):
        reached("setup")
    @mt.hookimpl
    def suggest(self, run, rng):
        reached("suggest")
        return mt.Start(run.space.sample(rng))
    @mt.hookimpl
    def on_start(self, run):
        if run.resumed:
            reached("replay")
    @mt.hookimpl
    def teardown(self):
        reached("teardown")

class Witness:
    """Sees that everyone is torn down."""
    @mt.hookimpl
    def log(self, event):
        pass
    @mt.hookimpl
    def teardown(self):
        Path("torn").touch()

if __name__ == "__main__":
    import work
    given = dict(arg.split("=", 1) for arg in sys.argv[1:])
    mt.Tuner(
        getattr(work, given["trainable"]), param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=4,
        seed=1, searcher="work.Searcher", executor=given["executor"], loggers=["console", "work.Witness"], storage_path="runs",
        name="run", grace_s=float(given["grace"]),
    ).fit()
'''

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with work.py, in which processes are started; none of them outlives the test."""
    (tmp_path / "work.py").write_text(WORK)
    mark = str(uuid.uuid4())
    monkeypatch.setenv("MICROTUNE_TEST", mark)
    yield tmp_path
    (tmp_path / "end").touch()
    (tmp_path / "go").touch()
    wait_for(lambda: not alive(mark))


@pytest.fixture
def start(house: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def popen(command: list[str], **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=house, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, **environment}, preexec_fn=can_be_interrupted,  # noqa: PLW1509  it takes no lock
        )  # fmt: skip
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.communicate()


def can_be_interrupted() -> None:
    """Whatever this test run was started by: what a shell puts in the background ignores SIGINT."""
    for signum in CODES:
        signal.signal(signum, signal.SIG_DFL)


def alive(mark: str) -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.add(int(entry.parent.name))
        except OSError:  # it has just ended
            pass
    return found


def wait_for(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + BOUND
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def cli(trainable: str, executor: str, grace: float = 20.0) -> list[str]:
    return [
        sys.executable, "-m", "microtune", "run", f"work:{trainable}", "--space", "x=uniform(0, 1)", "--metric", "loss",
        "--mode", "min", "--num-samples", "4", "--seed", "1", "--searcher", "work.Searcher", "--executor", executor,
        "--logger", "console", "--logger", "work.Witness", "--storage-path", "runs", "--name", "run", "--grace", str(grace),
    ]  # fmt: skip


def script(trainable: str, executor: str, grace: float = 20.0) -> list[str]:
    return [sys.executable, "work.py", f"trainable={trainable}", f"executor={executor}", f"grace={grace}"]


def opened(house: Path) -> mt.ResultGrid | None:
    try:
        return mt.ResultGrid(house / "runs" / "run")
    except mt.RunError:  # it does not exist yet
        return None


def reporting(house: Path, trials: int, steps: int) -> Callable[[], bool]:
    """So many trials have taken so many steps."""

    def met() -> bool:
        grid = opened(house)
        return grid is not None and sum(len(rows) >= steps for rows in grid.histories().values()) >= trials

    return met


def finish(house: Path, start: Start, errors: str) -> mt.ResultGrid:
    """Do what the process said would resume the run, and let the trials come to their end."""
    line = re.search("go on with `(microtune resume [^`]+)`", errors)
    assert line is not None, errors
    (house / "end").touch()
    (house / "go").touch()
    process = start([sys.executable, "-m", *shlex.split(line[1])])
    _, told = process.communicate(timeout=BOUND)
    assert process.returncode == 0, told
    grid = opened(house)
    assert grid is not None
    return grid


FRONTS = [(cli, CODES), (script, SCRIPT_CODES)]
ONCE = [(front, codes, executor, signum) for front, codes in FRONTS for executor in SLOTS for signum in CODES]


@pytest.mark.parametrize(
    ("front", "codes", "executor", "signum"), ONCE, ids=[f"{f.__name__}-{e.partition(':')[0]}-{s.name}" for f, _, e, s in ONCE]
)
def test_one_signal_drains_the_run_and_the_line_that_is_printed_resumes_it(house, start, front, codes, executor, signum):
    process = start(front("train", executor))
    slots = SLOTS[executor]
    wait_for(reporting(house, slots, 3))
    os.killpg(process.pid, signum)  # as a terminal does: to all processes of the foreground
    _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == codes[signum], errors
    assert f"{signum.name}: running trials have 20 s to reach a report" in errors
    assert (house / "torn").exists()
    assert not alive(os.environ["MICROTUNE_TEST"])
    drained = opened(house)
    assert [(trial.state, trial.reason) for trial in drained] == [("PENDING", signum.name)] * slots, "and none was started"
    assert drained.closed == {"reason": signum.name, "finished": False}
    histories = [trial.history for trial in drained]  # read now: they grow
    resumed = finish(house, start, errors)
    assert [trial.state for trial in resumed] == ["COMPLETED"] * 4
    for before, after in zip(histories, [trial.history for trial in resumed], strict=False):
        steps = len(before)
        assert after[:steps] == before
        assert [row["training_iteration"] for row in after] == list(range(1, len(after) + 1))
        assert after[steps]["first"] == steps, "it went on from its last checkpoint"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_trial_that_does_not_come_to_a_report_is_killed_once_the_grace_period_is_over(house, start, signum):
    process = start(cli("stubborn", "local:workers=2", grace=0.5))
    wait_for(reporting(house, 2, 1))
    process.send_signal(signum)
    _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == CODES[signum]
    assert "was told to leave and had not left 0.5 s later" in "".join(told(house, "fault"))
    assert (house / "torn").exists()
    assert not alive(os.environ["MICROTUNE_TEST"])
    assert [trial.state for trial in finish(house, start, errors)] == ["COMPLETED"] * 4


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("executor", SLOTS)
@pytest.mark.parametrize(("front", "codes"), FRONTS, ids=["cli", "script"])
def test_a_second_signal_ends_it_at_once_and_it_can_be_resumed_all_the_same(house, start, front, codes, executor, second):
    process = start(front("stubborn", executor, grace=600))
    slots = SLOTS[executor]
    wait_for(reporting(house, slots, 1))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: len(told(house, "interrupted")) == slots)
    began = time.monotonic()
    process.send_signal(second)
    _, errors = process.communicate(timeout=BOUND)
    assert time.monotonic() - began < 15
    assert process.returncode == codes[second], errors
    assert (house / "torn").exists()
    wait_for(lambda: not alive(os.environ["MICROTUNE_TEST"]))
    assert [trial.state for trial in finish(house, start, errors)] == ["COMPLETED"] * 4


def told(house: Path, kind: str) -> list[str]:
    """The bodies of the events of this kind."""
    import sqlite3

    with sqlite3.connect(f"file:{house}/runs/run/journal.db?mode=ro", uri=True) as db:
        found = [body for (body,) in db.execute("SELECT body FROM events WHERE kind = ?", (kind,))]
    db.close()
    return found


# --- at every moment -------------------------------------------------------------------------------------------------


def begin(house: Path, start: Start, moment: str) -> subprocess.Popen[str]:
    """A process that has come to this moment, and stays there until it may go on."""
    command = cli("train", "local:workers=2")
    if moment == "replay":
        first = start(command)
        wait_for(reporting(house, 2, 3))
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=BOUND)
        (house / "torn").unlink()
        command = [sys.executable, "-m", "microtune", "resume", "runs/run"]
    process = start(command, AT=moment)
    if moment == "teardown":
        wait_for(reporting(house, 2, 3))
        process.send_signal(signal.SIGINT)
    wait_for((house / "here").exists)
    return process


@pytest.mark.parametrize("moment", ["setup", "replay", "suggest"])
def test_a_signal_at_this_moment_lets_it_end_and_starts_nothing(house, start, moment):
    process = begin(house, start, moment)
    process.send_signal(signal.SIGTERM)
    (house / "go").touch()
    _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == 143
    assert (house / "torn").exists()
    assert not alive(os.environ["MICROTUNE_TEST"])
    grid = opened(house)
    assert grid.closed == {"reason": "SIGTERM", "finished": False}
    assert {trial.state for trial in grid} <= {"PENDING"}
    steps = [trial.history for trial in grid]
    resumed = finish(house, start, errors)
    assert [trial.state for trial in resumed] == ["COMPLETED"] * 4
    for before, after in zip(steps, resumed, strict=False):
        assert after.history[: len(before)] == before


@pytest.mark.parametrize("moment", ["setup", "replay", "suggest", "teardown"])
def test_a_second_signal_at_this_moment_ends_it_there_and_loses_nothing(house, start, moment):
    process = begin(house, start, moment)
    if moment != "teardown":  # there the first one is what has led to it
        process.send_signal(signal.SIGINT)
        wait_for(lambda: caught(process.pid))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == 130, errors
    wait_for(lambda: not alive(os.environ["MICROTUNE_TEST"]))
    if moment == "setup":
        assert "the run was interrupted; it had not begun" in errors
        assert opened(house) is None
        (house / "go").touch()
        (house / "end").touch()
        again = start(cli("train", "local:workers=2"))  # of the same name
        again.communicate(timeout=BOUND)
        assert again.returncode == 0
        return
    assert (house / "torn").exists()
    steps = [trial.history for trial in opened(house)]
    resumed = finish(house, start, errors)
    assert [trial.state for trial in resumed] == ["COMPLETED"] * 4
    for before, after in zip(steps, resumed, strict=False):
        assert after.history[: len(before)] == before


def caught(pid: int) -> bool:
    """The process has no signal waiting for it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return all(int(mask, 16) == 0 for mask in re.findall(r"^(?:SigPnd|ShdPnd):\s*(\w+)", status, re.MULTILINE))


# --- terminals -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # is multi-threaded, perhaps; the fork execs at once
def test_a_terminal_that_is_closed_drains_the_run(house):
    command = cli("train", "local:workers=2")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(house)
        can_be_interrupted()
        os.execv(command[0], command)
    wait_for(reporting(house, 2, 3))
    os.close(terminal)
    ended: list[int] = []

    def has_ended() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        ended.append(status)
        return bool(found)

    wait_for(has_ended)
    # 120 is Python's own, where at its end something was left to be flushed to the terminal that is gone.
    assert os.waitstatus_to_exitcode(ended[-1]) in (129, 120)
    wait_for(lambda: not alive(os.environ["MICROTUNE_TEST"]))
    assert (house / "torn").exists()
    assert opened(house).closed == {"reason": "SIGHUP", "finished": False}
