"""What trials do to their processes, beyond what the contract of executors asks of every executor."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import microtune as mt
from microtune import Limits, Stop

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process adopt orphans")

# --- where it hung, or crashed -----------------------------------------------------------------------------------------


def test_a_hang_in_c_code_that_never_gives_the_interpreter_back_says_where(stage):
    def train(config):
        mt.report(loss=1.0)
        backtracks_for_ever()

    def backtracks_for_ever():
        import re

        re.match(r"(a|aa)+$", "a" * 200 + "b")  # holds the GIL, so that no Python code runs in any thread

    s = stage(train, limits=Limits(report=1.0))
    failure = s.exit_of(s.launch()).failure
    assert failure.kind == "timeout"
    assert "in backtracks_for_ever" in failure.traceback


def test_a_hang_of_a_trial_with_a_hundred_threads_shows_the_trials_own(stage):
    def train(config):
        import threading

        def deep(n):
            if n:
                deep(n - 1)
            else:
                time.sleep(600)

        for _ in range(90):
            threading.Thread(target=deep, args=(30,), daemon=True).start()
        the_place_where_it_hangs()

    def the_place_where_it_hangs():
        time.sleep(600)

    s = stage(train, limits=Limits(trial=1.5))
    assert "in the_place_where_it_hangs" in s.exit_of(s.launch()).failure.traceback


@pytest.mark.parametrize("how", ["stopped", "deaf"])
def test_a_process_that_cannot_write_its_stack_down_is_killed_and_the_error_says_why_there_is_none(stage, how):
    def train(config):
        if config["how"] == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
        time.sleep(600)

    s = stage(train, limits=Limits(trial=0.5))
    failure = s.exit_of(s.launch({"how": how})).failure
    assert failure.kind == "timeout"
    assert failure.traceback.startswith("no stack: the process did not write it down")


@pytest.mark.parametrize("signum", [signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL])
def test_a_crash_says_where(stage, signum):
    def train(config):
        the_place_where_it_crashes()

    def the_place_where_it_crashes():
        os.kill(os.getpid(), signum)

    s = stage(train)
    failure = s.exit_of(s.launch()).failure
    assert (failure.kind, failure.message.endswith(f"was killed by {signum.name}")) == ("lost", True)
    assert "in the_place_where_it_crashes" in failure.traceback


# --- memory ------------------------------------------------------------------------------------------------------------


def test_one_array_that_is_too_large_is_out_of_memory_and_the_worker_goes_on(stage):
    def train(config):
        if config.get("fine"):
            return float(os.getpid())
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
        mt.report(loss=float(os.getpid()))
        return float(len(bytearray(1 << 30)))

    s = stage(train, workers=1)
    first = s.launch()
    failure = s.exit_of(first).failure
    assert (failure.kind, failure.message) == ("out_of_memory", "MemoryError")
    assert "bytearray(1 << 30)" in failure.traceback or "in train" in failure.traceback
    again = s.launch({"fine": True})
    assert s.exit_of(again).failure is None
    assert s.results_of(again)[0].metrics["loss"] == s.results_of(first)[0].metrics["loss"]


def cgroup() -> Path | None:
    """A new control group with a limit of memory, where this process may make one."""
    for root, limit in ((Path("/sys/fs/cgroup"), "memory.max"), (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")):
        group = root / f"microtune-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if os.access(group / limit, os.W_OK):  # made by the system, so this is a control group
            (group / limit).write_text(str(96 << 20))
            return group
        group.rmdir()
    return None


def test_a_worker_that_its_control_group_kills_is_out_of_memory(stage, eventually):
    group = cgroup()
    if group is None:
        pytest.skip("no control group with a limit of memory can be made here")

    def train(config):
        Path(config["group"], "cgroup.procs").write_text(str(os.getpid()))
        Path("/proc/self/oom_score_adj").write_text("1000")
        mt.report(loss=1.0)
        return float(len([b"x" * (1 << 20) for _ in range(1000)]))

    try:
        s = stage(train)
        trial = s.launch({"group": str(group)})
        failure = s.exit_of(trial).failure
        assert (failure.kind, len(s.results_of(trial))) == ("out_of_memory", 1)
        eventually(lambda: not (group / "cgroup.procs").read_text())
    finally:
        group.rmdir()


# --- errors that are hard to put into words ------------------------------------------------------------------------------


def test_an_error_as_large_as_an_array_keeps_its_beginning_and_its_end(stage):
    def train(config):
        raise ValueError("begins " + "x" * 10_000_000 + " ends")

    s = stage(train)
    failure = s.exit_of(s.launch()).failure
    assert failure.message.startswith("ValueError: begins xxx")
    assert failure.message.endswith("xxx ends")
    assert len(failure.message) < 200_000
    assert len(failure.traceback) < 200_000


def test_an_error_with_half_a_character_in_it_arrives(stage):
    def train(config):
        raise ValueError("half: \ud800")

    s = stage(train)
    assert s.exit_of(s.launch()).failure.message == "ValueError: half: \ud800"


def test_a_recursion_without_end_is_an_error(stage):
    def train(config):
        train(config)

    s = stage(train)
    failure = s.exit_of(s.launch()).failure
    assert failure.kind == "error"
    assert failure.message.startswith("RecursionError")


# --- its pipes -----------------------------------------------------------------------------------------------------------


def test_a_trial_that_writes_into_the_pipe_of_its_worker_is_lost_and_the_others_never_notice(stage):
    def train(config):
        if config.get("fine"):
            for step in range(50):
                mt.report(loss=float(step))
            return
        pipes = [fd for fd in range(3, 64) if _is_pipe(fd)]
        for fd in pipes:
            try:
                os.write(fd, b"\x06\0\0\0garbage and more of it")
            except OSError:  # it is the other end
                pass
        time.sleep(600)

    def _is_pipe(fd):
        import stat

        try:
            return stat.S_ISFIFO(os.fstat(fd).st_mode)
        except OSError:
            return False

    s = stage(train, workers=2)
    bad, good = s.launch(), s.launch({"fine": True})
    assert s.exit_of(bad).failure.kind == "lost"
    assert s.exit_of(good).failure is None
    assert len(s.results_of(good)) == 50


def test_a_flood_on_stdout_does_not_reach_the_driver(stage, tmp_path):
    def train(config):
        for _ in range(200):
            os.write(1, b"x" * 100_000)
        mt.report(loss=1.0)

    s = stage(train, output=True)
    trial = s.launch()
    assert s.exit_of(trial).failure is None
    assert (Path(trial.folder) / "output.txt").stat().st_size == 20_000_000


# --- what a trial leaves behind ------------------------------------------------------------------------------------------

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os._exit(0)
"""


def detached(how, note):
    """Start a process that has left its worker's session; returns its pid."""
    if how == "session":
        return subprocess.Popen(["sleep", "600"], start_new_session=True).pid
    subprocess.run([sys.executable, "-c", DAEMON, note], check=True)  # its parent is gone too
    while not os.path.exists(note) or not open(note).read():
        time.sleep(0.01)
    return int(open(note).read())


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second one when it ends between opening and reading
        return False


@LINUX
@pytest.mark.parametrize("start", ["forkserver", "spawn"])
@pytest.mark.parametrize("how", ["session", "daemon"])
def test_a_process_that_has_left_its_session_ends_with_the_run(stage, how, start, eventually):
    s = stage(lambda config: {"loss": 0.0, "pid": detached(how, config["note"])}, start=start)
    trial = s.launch({"note": str(s.folder / "note")})
    assert s.exit_of(trial).failure is None
    pid = s.results_of(trial)[0].metrics["pid"]
    assert is_there(pid)
    s.close()
    eventually(lambda: not is_there(pid))


@LINUX
@pytest.mark.parametrize("end", ["timeout", "killed", "told to leave"])
@pytest.mark.parametrize("how", ["session", "daemon"])
def test_a_process_that_has_left_its_session_ends_with_its_worker_and_that_of_another_stays(stage, how, end, eventually):
    def train(config):
        mt.report(loss=0.0, pid=detached(how, config["note"]), worker=os.getpid())
        Path(config["note"] + ".passed").touch()
        if config["ends"]:
            time.sleep(600)
        while True:
            mt.report(loss=0.0)

    limits = Limits(report=2.0 if end == "timeout" else None, grace=0.2)
    s = stage(train, workers=2, limits=limits)
    ends, stays = (s.launch({"note": str(s.folder / name), "ends": name == "ends"}) for name in ("ends", "stays"))
    s.until(lambda: s.results_of(ends) and s.results_of(stays))
    eventually((s.folder / "ends.passed").exists)
    gone, left = (s.results_of(trial)[0].metrics["pid"] for trial in (ends, stays))
    if end == "killed":
        os.kill(s.results_of(ends)[0].metrics["worker"], signal.SIGKILL)
    elif end == "told to leave":
        s.steer(ends.id, Stop("enough"))
    assert s.exit_of(ends).failure.kind == ("lost" if end == "killed" else "timeout")
    eventually(lambda: not is_there(gone))
    assert is_there(left)


@LINUX
def test_a_driver_that_is_killed_leaves_no_process_that_has_left_its_session(tmp_path, alive, eventually):
    code = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import cloudpickle, microtune as mt, test_faults
from types import SimpleNamespace
from microtune_execute_local import LocalExecutor

cloudpickle.register_pickle_by_value(test_faults)
run = mt.Facts(id="r", name="r", path=".", seed=1, space=None, objective=SimpleNamespace(metrics=("loss",)), num_samples=1,
               limits=mt.Limits(), resources={{"cpu": 1.0}},
               trainable=lambda config: float(test_faults.detached("daemon", "note")))
executor = LocalExecutor(workers=1)
executor.setup(run)
executor.launch(run, mt.Trial("a", 0, {{}}, attempt=1, folder="trials/a"))
while not executor.wait(run, time.time() + 30).reports:
    pass
print("running", flush=True)
time.sleep(600)
"""
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE)
    assert driver.stdout.readline() == b"running\n"
    pid = int((tmp_path / "note").read_text())
    assert is_there(pid)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    eventually(lambda: not alive())
    assert not is_there(pid)
