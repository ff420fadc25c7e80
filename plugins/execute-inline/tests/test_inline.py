"""One trial at a time in this process, where a debugger works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeLogger, FakeScheduler, FakeSearcher
from microtune_execute_inline import InlineExecutor

# A process inherits what its parent ignores, and a shell's & may have had the tests ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

BOUND = 30  # seconds that nothing here should ever take


def tuner(trainable, path=":memory:", **changes):
    given = {
        "param_space": {"x": mt.uniform(0, 1)}, "metric": "loss", "mode": "min", "num_samples": 3, "searcher": FakeSearcher(),
        "executor": "inline", "loggers": (), "storage_path": path, "name": "run", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, **{**given, **changes})


def within_bounds(tune):
    """fit(), but a run that would never end fails."""
    results = []
    thread = threading.Thread(target=lambda: results.append(tune.fit()), daemon=True)
    thread.start()
    thread.join(BOUND)
    assert results, "the run is not over"
    return results[0]


def test_trials_run_in_this_process_one_after_the_other():
    running, seen = [], []

    def train(config):
        running.append(config)
        for _ in range(3):
            seen.append((len(running), os.getpid(), threading.current_thread()))
            mt.report(loss=1)
        running.remove(config)

    assert [trial.state for trial in tuner(train).fit()] == ["COMPLETED"] * 3
    assert {(count, pid) for count, pid, _ in seen} == {(1, os.getpid())}
    assert len({thread for _, _, thread in seen}) == 1


def test_kernel_and_trial_move_in_turns():
    lines = []

    class Diary(FakeLogger):
        @mt.hookimpl
        def on_result(self, result):
            lines.append(f"kernel {result.training_iteration}")

        @mt.hookimpl
        def log(self, event):
            time.sleep(0.02)  # a trial that could move now would
            lines.append(f"log {event.kind}")

    def train(config):
        for i in (1, 2):
            lines.append(f"trial {i}")
            mt.report(loss=i)
        lines.append("trial ends")

    tuner(train, num_samples=1, loggers=[Diary()]).fit()
    assert lines[3:] == [
        "trial 1", "kernel 1", "log result", "trial 2", "kernel 2", "log result", "trial ends", "log ended", "log closed",
    ]  # fmt: skip


def test_nothing_is_pickled():
    lock, values = threading.Lock(), []  # a lock cannot be

    def train(config):
        with lock:
            values.append(config["x"])
        return config["x"]

    tuner(train).fit()
    assert len(values) == 3


def test_a_traceback_is_the_trainables_own():
    def train(config):
        raise ValueError("something is wrong")

    (trial,) = tuner(train, num_samples=1).fit()
    assert 'raise ValueError("something is wrong")' in trial.error
    assert __file__ in trial.error
    assert "microtune" not in trial.error.replace(__file__, "")


def test_the_next_trial_waits_until_a_stopped_one_has_left():
    lines = []

    def train(config):
        try:
            lines.append("begins")
            mt.report(loss=config["x"])
        finally:
            lines.append("left")

    results = tuner(train, stop={"training_iteration": 1}).fit()
    assert [trial.state for trial in results] == ["STOPPED"] * 3
    assert lines == ["begins", "left"] * 3


def test_a_trial_that_waits_behind_one_that_is_leaving_can_be_called_off(tmp_path):
    """The first trial is told to stop and takes its time; the second waits for it when the run's time is over."""
    begun, interrupted = [], threading.Event()

    class Watch(FakeLogger):
        @mt.hookimpl
        def log(self, event):
            if event.kind == "interrupted":
                assert event.trial == "00001"
                interrupted.set()

    def train(config):
        begun.append(mt.get_context().trial_id)
        try:
            mt.report(loss=1)
        finally:
            assert interrupted.wait(BOUND)

    tune = tuner(train, tmp_path, stop={"training_iteration": 1}, time_budget_s=0.3, loggers=[Watch()])
    results = within_bounds(tune)
    assert [trial.state for trial in results] == ["STOPPED", "PENDING"]
    assert begun == ["00000"]
    changes = {"searcher": FakeSearcher(), "loggers": (), "time_budget_s": None}
    assert [trial.state for trial in mt.Tuner.restore(tmp_path / "run", train, **changes).fit()] == ["STOPPED"] * 3


def test_a_report_that_comes_after_the_end_of_the_time_is_kept_and_answered_with_pause():
    reported, halted = threading.Event(), []

    def train(config):
        mt.report(loss=1)
        assert reported.wait(BOUND)
        try:
            mt.report(loss=2)
        except mt.TrialHalted as halt:
            halted.append(str(halt))
            raise

    class Watch(FakeLogger):
        @mt.hookimpl
        def log(self, event):
            if event.kind == "interrupted":
                reported.set()

    (trial,) = within_bounds(tuner(train, num_samples=1, time_budget_s=0.3, loggers=[Watch()]))
    assert trial.state == "PENDING"
    assert [row["loss"] for row in trial.history] == [1, 2], "it is kept"
    assert halted == ["pause"]


def test_a_paused_trial_goes_on_from_its_checkpoint(tmp_path):
    paused = []

    class OncePaused(FakeScheduler):
        @mt.hookimpl
        def on_result(self, trial, result):
            if trial.starts == 1 and result.training_iteration == 2:
                paused.append(trial.id)

        @mt.hookimpl
        def on_start(self, trial):
            if trial.starts == 2:
                paused.remove(trial.id)

    def train(config):
        folder = mt.get_checkpoint()
        for step in range(int((folder / "step").read_text()) if folder else 0, 4):
            with mt.checkpoint_dir() as new:
                (new / "step").write_text(str(step + 1))
                mt.report(loss=step, attempt=mt.get_context().attempt, checkpoint=new)

    scheduler = OncePaused(
        decide=lambda trial, result: mt.Pause("once") if trial.id in paused else None,
        suggest=lambda run: mt.Resume(paused[0]) if paused else None,
    )
    for trial in tuner(train, tmp_path, scheduler=scheduler).fit():
        assert [(row["loss"], row["attempt"]) for row in trial.history] == [(0, 1), (1, 1), (2, 2), (3, 2)]
        assert (Path(trial.checkpoint) / "step").read_text() == "4"


@pytest.mark.parametrize("limit", ["trial_timeout_s", "report_timeout_s"])
def test_time_limits_of_a_trial_are_refused_since_it_cannot_be_killed(tmp_path, limit):
    with pytest.raises(mt.OptionError, match=f"'inline' cannot end a trial that runs over {limit}: use executor='local'"):
        tuner(lambda config: 1, tmp_path, **{limit: 5}).fit()


def test_a_class_is_used_again_and_cleaned_up_at_the_end():
    log = []

    class Kept(mt.Trainable):
        def setup(self, config):
            log.append("setup")

        def step(self):
            return {"loss": 1, "done": True}

        def reset_config(self, config):
            log.append("reset")
            return True

        def cleanup(self):
            log.append("cleanup")

    tuner(Kept).fit()
    assert log == ["setup", "reset", "reset", "cleanup"]


def test_two_runs_may_go_on_side_by_side():
    meeting = threading.Barrier(2, timeout=BOUND)

    def train(config):
        meeting.wait()
        mt.report(loss=config["x"], folder=str(mt.get_context().folder))
        meeting.wait()

    results, threads = {}, []
    for name in ("first", "second"):
        tune = tuner(train, name=name, seed=len(threads))
        threads.append(threading.Thread(target=lambda tune=tune: results.update({tune.name: tune.fit()}), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(BOUND)
    assert set(results) == {"first", "second"}
    for name, grid in results.items():
        assert [trial.state for trial in grid] == ["COMPLETED"] * 3
        for trial in grid:
            assert trial.metrics["loss"] == trial.config["x"]
            assert f"/{name}/trials/{trial.id}" in trial.metrics["folder"]


def test_a_trial_may_tune_by_itself():
    def inner(config):
        return config["x"]

    def train(config):
        best = tuner(inner, name="inner", seed=2).fit().get_best_result()
        mt.report(loss=best.metrics["loss"], trial=mt.get_context().trial_id)

    (trial,) = tuner(train, num_samples=1).fit()
    assert trial.error is None
    assert trial.metrics["trial"] == "00000"


def test_the_executor_may_be_an_instance():
    assert len(tuner(lambda config: 1, executor=InlineExecutor()).fit()) == 3


# --- signals ---------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, threading
import microtune as mt
from microtune.testing import FakeLogger, FakeSearcher

draining = threading.Event()

class Watch(FakeLogger):
    @mt.hookimpl
    def log(self, event):
        if event.kind == "interrupted":
            print("draining", flush=True)
            draining.set()

def train(config):
    mt.report(loss=1)
    print("busy", flush=True)
    if sys.argv[2] == "polite":
        draining.wait()
    else:
        threading.Event().wait()
    mt.report(loss=2)

mt.Tuner(
    train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(), executor="inline",
    loggers=[Watch()], storage_path=sys.argv[1], name="run",
).fit()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals there")
@pytest.mark.parametrize("manners", ["polite", "stubborn"])
def test_after_one_ctrl_c_a_trial_leaves_at_its_next_report_and_after_a_second_it_is_given_up(tmp_path, manners):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), manners]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = threading.Timer(BOUND, process.kill)
    watch.start()
    try:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "draining\n"
        if manners == "stubborn":
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    finally:
        watch.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGINT
    assert f"go on with `Tuner.restore('{tmp_path}/run', trainable=..., searcher=..., loggers=...).fit()`" in errors
    (trial,) = mt.ResultGrid(tmp_path / "run")
    assert (trial.state, len(trial.history)) == ("PENDING", 2 if manners == "polite" else 1)
