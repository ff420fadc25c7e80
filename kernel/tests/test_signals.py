"""SIGINT, SIGTERM and SIGHUP: the first one drains the run, a second one forces its end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

import microtune as mt
from microtune import ResultGrid
from microtune.signals import Signals, ended_by, farewell
from microtune.testing import FakeExecutor, FakeSearcher

BOUND = 30  # seconds that nothing here should ever take

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals there")


@pytest.fixture(autouse=True)
def handlers():
    """Whatever a test does, these are there again after it."""
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


# --- Signals ---------------------------------------------------------------------------------------------------------


def readable(fd):
    return bool(select.select([fd], [], [], 0)[0])


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_interrupts_and_wakes_whoever_waits(signum):
    heard = []
    with Signals(heard.append) as signals:
        assert signals.received is None
        assert not readable(signals.wakeup_fd)
        signal.raise_signal(signum)
        assert heard == [signum] == [signals.received]
        assert readable(signals.wakeup_fd)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_forces_the_end(first, second):
    heard = []
    with Signals(heard.append):
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt if second == signal.SIGINT else SystemExit):
            signal.raise_signal(second)
    assert heard == [first]


def test_a_terminal_that_is_closed_hangs_up_more_than_once_and_forces_nothing():
    heard = []
    with Signals(heard.append) as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        assert signals.forced is None
    assert heard == [signal.SIGHUP]


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_that_is_ignored_stays_ignored(signum):
    signal.signal(signum, signal.SIG_IGN)  # as nohup does
    heard = []
    with Signals(heard.append):
        signal.raise_signal(signum)
        assert signal.getsignal(signum) == signal.SIG_IGN
    assert heard == []


def test_the_old_handlers_come_back_and_nothing_stays_open():
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with Signals(lambda signum: None) as signals:
        assert signal.getsignal(signal.SIGINT) is not before[0]
        fd = signals.wakeup_fd
    assert [signal.getsignal(signum) for signum in SIGNALS] == before
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_outside_of_the_main_thread_signals_are_left_alone():
    seen = []

    def work():
        with Signals(lambda signum: None) as signals:
            seen.append((signals.wakeup_fd, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(BOUND)
    assert seen == [(None, signal.default_int_handler)]


def test_the_caller_of_fit_gets_what_the_shell_expects():
    interrupt, leave = ended_by(signal.SIGINT, "go on"), ended_by(signal.SIGTERM, "go on")
    assert (type(interrupt), str(interrupt)) == (KeyboardInterrupt, "go on")
    assert (type(leave), str(leave), leave.code) == (SystemExit, "go on", 128 + signal.SIGTERM)


# --- fit -------------------------------------------------------------------------------------------------------------


def endless(config):
    while True:
        mt.report(loss=config["x"])


def brief(name):
    """A trainable of this name that comes to its end, to resume a run with."""

    def returns(config):
        return config["x"]

    returns.__name__ = returns.__qualname__ = name
    return returns


def signals_itself(*signums):
    """A trainable that has the process signalled at its third report, and reports on for ever."""

    def train(config):
        for i in range(1 << 30):
            if i == 3:
                for signum in signums:
                    os.kill(os.getpid(), signum)
            mt.report(loss=config["x"])

    return train


def tuner(trainable, path, **more):
    given = {
        "metric": "loss", "mode": "min", "num_samples": 3, "searcher": FakeSearcher(), "executor": FakeExecutor(),
        "loggers": (), "storage_path": path, "name": "run", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, param_space={"x": mt.uniform(0, 1)}, **{**given, **more})


def again(path):
    """How to go on with it: its trainable, searcher and executor are objects, which no journal holds."""
    return f"go on with `Tuner.restore('{path}/run', trainable=..., searcher=..., executor=...).fit()`"


@contextmanager
def interrupted(signum, message):
    with pytest.raises(KeyboardInterrupt if signum == signal.SIGINT else SystemExit) as raised:
        yield
    assert message in str(raised.value)
    if signum != signal.SIGINT:
        assert raised.value.code == 128 + signum


@pytest.mark.parametrize("signum", SIGNALS)
def test_one_signal_drains_the_run_which_can_be_resumed(tmp_path, signum):
    executor = FakeExecutor(workers=2)
    with interrupted(signum, f"the run was interrupted; {again(tmp_path)}"):
        tuner(signals_itself(signum), tmp_path, executor=executor).fit()
    results = ResultGrid(tmp_path / "run")
    assert [trial.state for trial in results] == ["PENDING", "PENDING"]
    assert {trial.reason for trial in results} == {signum.name}
    assert results.closed == {"reason": signum.name, "finished": False}
    assert executor.steered[-2:] == [("00000", "Pause"), ("00001", "Pause")]

    finished = mt.Tuner.restore(tmp_path / "run", brief("train"), searcher=FakeSearcher(), executor=FakeExecutor()).fit()
    assert [trial.state for trial in finished] == ["COMPLETED"] * 3
    assert finished[0].id == "00000"


def test_sigterm_says_aloud_how_to_go_on(tmp_path, caplog):
    with pytest.raises(SystemExit):
        tuner(signals_itself(signal.SIGTERM), tmp_path).fit()
    assert again(tmp_path) in caplog.text


def test_the_user_is_told_that_the_trials_have_some_time_left(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        tuner(signals_itself(signal.SIGINT), tmp_path, grace_s=7).fit()
    assert "SIGINT: running trials have 7 s to reach a report; the same again ends the run at once" in caplog.text


@pytest.mark.parametrize(
    ("path", "begun", "lost", "how"),
    [
        ("/runs/a", True, [], "go on with `microtune resume /runs/a`"),
        ("/runs/a b", True, [], "go on with `microtune resume '/runs/a b'`"),
        ("/runs/a", True, ["trainable"], "go on with `Tuner.restore('/runs/a', trainable=...).fit()`"),
        ("/runs/a", False, [], "it had not begun"),
        (None, True, [], "it was kept in memory only"),
    ],
)
def test_the_last_words_can_be_pasted(path, begun, lost, how):
    assert farewell(signal.SIGINT, path, begun, lost) == f"the run was interrupted; {how}"


def test_a_second_signal_says_how_to_go_on_too(tmp_path):
    class Stuck(FakeExecutor):
        @mt.hookimpl
        def wait(self, run, until):
            if until > 0 and self.launched:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return super().wait(run, until)

    with interrupted(signal.SIGINT, "go on with"):
        tuner(endless, tmp_path, executor=Stuck()).fit()
    assert ResultGrid(tmp_path / "run").closed["reason"] == "KeyboardInterrupt"


def test_a_second_signal_during_the_teardown_tears_down_the_others_all_the_same(tmp_path):
    class Slow(FakeSearcher):
        @mt.hookimpl
        def teardown(self):
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it goes on")

    torn = []

    class Watched(FakeExecutor):
        @mt.hookimpl
        def teardown(self, run, error):
            super().teardown(run, error)
            torn.append("executor")

    class Logger:
        @mt.hookimpl
        def log(self, event):
            pass

        @mt.hookimpl
        def teardown(self):
            torn.append("logger")

    with interrupted(signal.SIGINT, "go on with"):
        tuner(signals_itself(signal.SIGINT), tmp_path, searcher=Slow(), executor=Watched(), loggers=[Logger()]).fit()
    assert sorted(torn) == ["executor", "logger"]
    rest = mt.Tuner.restore(tmp_path / "run", brief("train"), searcher=FakeSearcher(), executor=FakeExecutor(), loggers=[])
    assert len(rest.fit()) == 3, "the journal was closed, and its lock given back"


def test_a_run_in_memory_does_not_promise_to_be_resumed():
    tune = tuner(signals_itself(signal.SIGINT), ":memory:")
    with pytest.raises(KeyboardInterrupt, match="the run was interrupted; it was kept in memory only"):
        tune.fit()
    assert [trial.state for trial in tune.results()] == ["PENDING"]


@pytest.mark.parametrize("outcome", ["success", "error", "interrupt"])
def test_the_handlers_come_back_after_fit(tmp_path, outcome):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def suggest(self, run, rng):
            raise ValueError("broken on purpose")

    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    if outcome == "success":
        tuner(lambda config: 1, tmp_path).fit()
    elif outcome == "error":
        with pytest.raises(mt.PluginError):
            tuner(endless, tmp_path, searcher=Broken()).fit()
    else:
        with pytest.raises(KeyboardInterrupt):
            tuner(signals_itself(signal.SIGINT), tmp_path).fit()
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before


def test_a_signal_while_the_run_is_set_up_counts(tmp_path):
    class Slow(FakeSearcher):
        @mt.hookimpl
        def setup(self):
            signal.raise_signal(signal.SIGINT)

    executor = FakeExecutor()
    with pytest.raises(KeyboardInterrupt, match="go on with"):
        tuner(endless, tmp_path, searcher=Slow(), executor=executor).fit()
    assert executor.launched == []
    finished = mt.Tuner.restore(tmp_path / "run", brief("endless"), searcher=FakeSearcher(), executor=FakeExecutor()).fit()
    assert len(finished) == 3


def test_a_signal_at_the_very_end_changes_nothing(tmp_path):
    class Late(FakeSearcher):
        @mt.hookimpl
        def teardown(self):
            signal.raise_signal(signal.SIGINT)

    assert len(tuner(lambda config: 1, tmp_path, searcher=Late()).fit()) == 3


def test_fit_works_outside_of_the_main_thread(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(tuner(lambda config: 1, tmp_path).fit()))
    thread.start()
    thread.join(BOUND)
    assert len(done[0]) == 3


# --- other processes -------------------------------------------------------------------------------------------------

SCRIPT = """
import select, sys, threading
import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher

class Stuck(FakeExecutor):
    '''Says when it waits and when it was woken, and then hangs.'''

    @mt.hookimpl
    def wait(self, run, until):
        if until == 0:
            return super().wait(run, until)
        print("waiting", flush=True)
        select.select([run.wakeup_fd], [], [], 60)
        print("woken", flush=True)
        if sys.argv[2] == "hang":
            threading.Event().wait(60)
        return super().wait(run, 0)

def train(config):
    while True:
        mt.report(loss=1)

class Patient(Stuck):
    '''As Stuck, but it goes on once it was woken.'''

    @mt.hookimpl
    def wait(self, run, until):
        if self.steered:
            return FakeExecutor.wait(self, run, until)
        return super().wait(run, until)

mt.Tuner(
    train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(), loggers=(),
    executor=Stuck() if sys.argv[2] == "hang" else Patient(), storage_path=sys.argv[1], name="run",
).fit()
"""


@contextmanager
def script(path, how):
    """A process that tunes; it is gone when the test ends."""
    command = [sys.executable, "-c", SCRIPT, str(path), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process):
    """Its next line; whoever never writes one is killed."""
    watch = threading.Timer(BOUND, process.kill)
    watch.start()
    try:
        return process.stdout.readline().strip()
    finally:
        watch.cancel()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signalled_process_ends_as_the_shell_expects_and_says_how_to_go_on(tmp_path, signum):
    with script(tmp_path, "drain") as process:
        assert line(process) == "waiting"
        process.send_signal(signum)
        _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == (-signal.SIGINT if signum == signal.SIGINT else 128 + signum)
    assert again(tmp_path) in errors
    assert [trial.state for trial in ResultGrid(tmp_path / "run")] == ["PENDING"]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_process_that_hangs_and_nothing_is_lost(tmp_path, second):
    with script(tmp_path, "hang") as process:
        assert line(process) == "waiting"
        process.send_signal(signal.SIGINT)
        assert line(process) == "woken"
        assert process.poll() is None
        process.send_signal(second)
        process.communicate(timeout=BOUND)
    assert process.returncode == (-signal.SIGINT if second == signal.SIGINT else 128 + second)
    results = ResultGrid(tmp_path / "run")
    assert results.closed["reason"] == ("KeyboardInterrupt" if second == signal.SIGINT else "SystemExit")
    finished = mt.Tuner.restore(tmp_path / "run", brief("train"), searcher=FakeSearcher(), executor=FakeExecutor()).fit()
    assert [trial.state for trial in finished] == ["COMPLETED"]
