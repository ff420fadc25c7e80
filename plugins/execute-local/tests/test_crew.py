"""Workers that die, hang, and are replaced."""

from __future__ import annotations

import os
import signal
import time

import pytest

import microtune as mt
from microtune import Stop
from microtune_execute_local import deaths


def fine(stage, number=1):
    """The stage still runs trials."""
    for trial in [stage.launch({"fine": True}) for _ in range(number)]:
        assert stage.exit_of(trial).failure is None


def dying(how):
    def train(config):
        if config.get("fine"):
            return 1.0
        mt.report(loss=1.0)
        how()
        return 2.0

    return train


def kill(signum):
    return lambda: os.kill(os.getpid(), signum)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (kill(signal.SIGKILL), r"worker process \d+ was killed by SIGKILL"),
        (kill(signal.SIGSEGV), r"worker process \d+ was killed by SIGSEGV"),
        (lambda: os._exit(0), r"worker process \d+ exited with status 0 before its trial had ended"),
        (lambda: os._exit(3), r"worker process \d+ exited with status 3 before its trial had ended"),
    ],
    ids=["SIGKILL", "SIGSEGV", "exit-0", "exit-3"],
)
@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_a_worker_that_dies_is_a_lost_trial_and_is_replaced(stage, how, words, start):
    import re

    s = stage(dying(how), start=start)
    trial = s.launch()
    exit = s.exit_of(trial)
    assert exit.failure.kind == "lost"
    assert re.search(words, exit.failure.message)
    assert len(s.results_of(trial)) == 1
    fine(s, 3)


def test_what_the_trainable_raises_is_an_error_with_its_traceback(stage):
    def train(config):
        raise ValueError("the loss is negative")

    s = stage(train)
    exit = s.exit_of(s.launch())
    assert exit.failure.kind == "error"
    assert exit.failure.message == "ValueError: the loss is negative"
    assert "test_crew.py" in exit.failure.traceback


def test_sys_exit_is_an_error_and_the_worker_goes_on(stage):
    def train(config):
        import sys

        if config.get("fine"):
            return float(os.getpid())
        sys.exit(3)

    s = stage(train, workers=1)
    assert s.exit_of(s.launch()).failure.message == "SystemExit: 3"
    fine(s)


def test_a_worker_killed_for_want_of_memory_is_out_of_memory(stage, monkeypatch):
    kills = iter([4, 5, 5])
    monkeypatch.setattr(deaths, "oom_kills", lambda: next(kills))
    s = stage(dying(kill(signal.SIGKILL)))
    assert s.exit_of(s.launch()).failure.kind == "out_of_memory"
    assert s.exit_of(s.launch()).failure.kind == "lost"


def test_a_memory_error_is_out_of_memory(stage):
    def train(config):
        raise MemoryError("no 8 GiB")

    s = stage(train)
    assert s.exit_of(s.launch()).failure.kind == "out_of_memory"


def test_a_trial_that_closes_every_file_is_lost(stage):
    def train(config):
        if config.get("fine"):
            return 1.0
        os.closerange(3, 1000)
        time.sleep(600)

    s = stage(train)
    assert s.exit_of(s.launch()).failure.kind == "lost"
    fine(s)


def test_a_thread_that_reports_after_the_end_disturbs_nobody(stage):
    def train(config):
        import threading

        report = mt.report
        for _ in range(5):
            threading.Thread(target=lambda: [report(loss=1.0) for _ in range(1000)], daemon=True).start()
        return float(config["number"])

    s = stage(train, workers=1)
    trials = s.run_all([{"number": i} for i in range(50)])
    assert [s.results_of(trial)[-1].metrics["loss"] for trial in trials] == list(range(50))


def test_reports_in_a_flood_from_many_workers_all_arrive_in_order(stage):
    def train(config):
        for step in range(500):
            mt.report(loss=float(step), padding="x" * (step * 40))

    s = stage(train, workers=6)
    trials = [s.launch() for _ in range(6)]
    for trial in trials:
        assert s.exit_of(trial).failure is None
        assert [r.metrics["loss"] for r in s.results_of(trial)] == list(range(500))


def test_when_the_template_dies_its_workers_are_lost_and_another_one_is_started(stage, alive, eventually):
    def train(config):
        if config.get("fine"):
            return 1.0
        mt.report(loss=float(os.getppid()))
        time.sleep(600)

    s = stage(train)
    trials = [s.launch() for _ in range(2)]
    s.until(lambda: len(s.reports) == 2)
    os.kill(int(s.reports[0].metrics["loss"]), signal.SIGKILL)
    for trial in trials:
        failure = s.exit_of(trial).failure
        assert failure.kind == "lost"
        assert "the process that starts the workers ended with status -9" in failure.message
    fine(s, 2)
    eventually(lambda: len(alive()) == 3)


def test_a_fresh_worker_serves_one_trial(stage):
    s = stage(lambda config: os.getpid(), fresh=True, workers=2)
    trials = s.run_all([{}] * 8)
    assert len({s.results_of(trial)[0].metrics["loss"] for trial in trials}) == 8


def test_a_stop_for_a_trial_that_ends_meanwhile_does_not_hit_the_next_one(stage):
    def train(config):
        mt.report(loss=1.0)
        return 2.0

    s = stage(train, workers=1)
    for _ in range(30):
        trial = s.launch()
        s.exit_of(trial) if trial.number % 2 else s.until(lambda trial=trial: s.results_of(trial))
        s.steer(trial.id, Stop("late"))
        assert s.exit_of(trial).failure is None
        if trial.number % 2:
            assert len(s.results_of(trial)) == 2
