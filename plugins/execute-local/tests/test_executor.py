from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

import microtune as mt
from microtune import CannotFit, Continue, Discard, Limits, OptionError, Pause, Stop, StopRun, Tuner, uniform
from microtune.testing.fakes import FakeSearcher

OPTIONS = [{"start": "forkserver"}, {"start": "spawn"}]


@pytest.fixture(params=OPTIONS, ids=lambda options: options["start"])
def start(request):
    return request.param


def test_a_returned_value_comes_in_one_batch_with_the_exit(stage, start):
    s = stage(lambda config: {"loss": config["x"] * 2}, **start)
    trial = s.launch({"x": 21})
    s.until(lambda: s.reports)
    result, exit = s.reports
    assert (result.trial_id, result.attempt, result.metrics, result.iteration) == (trial.id, 1, {"loss": 42}, 1)
    assert (exit.trial_id, exit.attempt, exit.failure, exit.checkpoint) == (trial.id, 1, None, None)
    assert result.at == pytest.approx(time.time(), abs=30)


def test_reports_are_answered_one_by_one(stage, start):
    def train(config):
        for step in range(50):
            mt.report(loss=float(step))

    s = stage(train, **start)
    trial = s.launch()
    assert s.exit_of(trial).failure is None
    assert [(r.iteration, r.metrics["loss"]) for r in s.results_of(trial)] == [(i + 1, i) for i in range(50)]


def test_a_trial_waits_for_its_decision(stage, eventually):
    def train(config):
        mt.report(loss=1.0)
        Path(config["flag"]).touch()

    s = stage(train)
    flag = s.folder / "flag"
    trial = s.launch({"flag": str(flag)})
    while not s.reports:
        s.wait()
    assert s.wait(0.05).reports == []
    assert not flag.exists()
    s.steer(trial.id, Continue())
    assert s.exit_of(trial).failure is None
    assert flag.exists()


def test_wait_returns_at_its_time_without_reports(stage):
    s = stage(lambda config: time.sleep(60))
    s.launch()
    until = time.time() + 0.2
    batch = s.executor.wait(s.run, until)
    assert until <= batch.now < until + 10
    assert batch.reports == []


def test_wait_returns_when_a_signal_has_come(stage):
    ours, other = os.pipe()
    s = stage(lambda config: time.sleep(60), wakeup_fd=ours)
    s.launch()
    os.write(other, b"!")
    began = time.monotonic()
    assert s.executor.wait(s.run, float("inf")).reports == []
    assert time.monotonic() - began < 10
    os.close(ours)
    os.close(other)


def test_the_capacity_is_what_there_is_in_all(stage):
    s = stage(lambda config: None)
    assert s.wait(0).capacity == {"cpu": float(len(os.sched_getaffinity(0)))}


def test_a_stopped_trial_leaves_at_once(stage):
    def train(config):
        try:
            while True:
                mt.report(loss=1.0)
        finally:
            Path(config["flag"]).touch()

    s = stage(train)
    flag = s.folder / "flag"
    trial = s.launch({"flag": str(flag)})
    s.decide = lambda report: Stop("enough") if report.iteration == 3 else Continue()
    exit = s.exit_of(trial)
    assert exit.failure is None
    assert flag.exists()
    assert len(s.results_of(trial)) == 3


def test_a_trial_between_two_reports_hears_a_decision_at_the_next_one(stage, eventually):
    def train(config):
        mt.report(loss=1.0)
        Path(config["flag"] + ".passed").touch()
        while not Path(config["flag"]).exists():
            time.sleep(0.001)
        mt.report(loss=0.5)
        mt.report(loss=0.1)

    s = stage(train)
    flag = s.folder / "flag"
    trial = s.launch({"flag": str(flag)})
    s.until(lambda: s.reports)
    eventually((s.folder / "flag.passed").exists)
    s.steer(trial.id, StopRun("the time is up"))
    s.steer(trial.id, StopRun("once more, which changes nothing"))
    flag.touch()
    assert s.exit_of(trial).failure is None
    assert [r.metrics["loss"] for r in s.results_of(trial)] == [1.0, 0.5]


def test_a_trial_that_does_not_leave_in_time_is_killed_with_its_children(stage, alive, eventually):
    def train(config):

        mt.report(loss=1.0)
        subprocess.Popen(["sleep", "600"])
        time.sleep(600)

    s = stage(train, limits=Limits(grace=0.3))
    trial = s.launch()
    s.until(lambda: s.reports)
    eventually(lambda: len(alive()) == 3)  # the template, the worker, the child
    s.steer(trial.id, Pause("later"))
    exit = s.exit_of(trial)
    assert exit.failure.kind == "timeout"
    assert "t0 was told to leave and had not left 0.3 s later" in exit.failure.message
    eventually(lambda: len(alive()) == 1)  # the template
    again = s.launch()
    s.until(lambda: s.results_of(again))


class Counter(mt.Trainable):
    def setup(self, config):
        self.count = 0
        self.setups = getattr(self, "setups", 0) + 1

    def step(self):
        self.count += 1
        return {"loss": 1.0 / self.count, "pid": os.getpid(), "setups": self.setups, "done": self.count == 5}

    def save_checkpoint(self, folder):
        (folder / "count").write_text(str(self.count))

    def load_checkpoint(self, folder):
        self.count = int((folder / "count").read_text())

    def reset_config(self, config):
        self.count = 0
        return True

    def cleanup(self):
        (Path(self.config["folder"]) / "cleaned").touch()


def test_a_paused_trial_resumes_from_its_checkpoint(stage):
    s = stage(Counter)
    s.decide = lambda report: Pause("rung") if (report.attempt, report.iteration) == (1, 2) else Continue()
    trial = s.launch({"folder": str(s.folder)})
    paused = s.exit_of(trial)
    assert paused.failure is None
    assert paused.iteration == 2
    assert Path(paused.checkpoint, "count").read_text() == "2"
    again = s.launch(again=trial, checkpoint=paused.checkpoint)
    assert s.exit_of(again).failure is None
    assert [(r.attempt, r.iteration) for r in s.results_of(trial)] == [(1, 1), (1, 2), (2, 3), (2, 4), (2, 5)]


def test_a_class_is_kept_for_the_next_trial_and_cleaned_up_at_the_end(stage):
    s = stage(Counter, workers=1)
    trials = s.run_all([{"folder": str(s.folder)}] * 3)
    results = [s.results_of(trial)[-1].metrics for trial in trials]
    assert len({result["pid"] for result in results}) == 1
    assert [result["setups"] for result in results] == [1, 1, 1]
    assert not (s.folder / "cleaned").exists()
    s.close()
    assert (s.folder / "cleaned").exists()


def test_the_checkpoint_of_a_report_is_committed_before_it_is_heard(stage):
    def train(config):
        with mt.checkpoint_dir() as folder:
            (folder / "state").write_text("7")
        mt.report(loss=1.0, checkpoint=folder)

    s = stage(train)
    trial = s.launch()
    assert s.exit_of(trial).failure is None
    assert Path(s.results_of(trial)[0].checkpoint, "state").read_text() == "7"


def test_five_megabytes_travel_both_ways(stage, start):
    s = stage(lambda config: {"loss": 0.0, "echo": config["text"]}, **start)
    text = "x" * 5_000_000
    trials = [s.launch({"text": text}) for _ in range(3)]
    for trial in trials:
        assert s.exit_of(trial).failure is None
        assert s.results_of(trial)[0].metrics["echo"] == text


def test_non_finite_numbers_and_nested_metrics_arrive_as_they_are(stage):
    s = stage(lambda config: {"loss": float("inf"), "more": {"a": [1, float("nan"), None, "text", True]}})
    trial = s.launch()
    s.exit_of(trial)
    metrics = s.results_of(trial)[0].metrics
    assert metrics["loss"] == float("inf")
    assert repr(metrics["more"]) == "{'a': [1, nan, None, 'text', True]}"


def test_the_driver_does_not_hang_on_a_worker_that_does_not_read(stage):
    s = stage(lambda config: time.sleep(600), workers=1, limits=Limits(grace=0.2))
    first = s.launch({"text": "x" * 5_000_000})
    s.wait(0.1)
    began = time.monotonic()
    s.steer(first.id, Stop("now"))
    assert time.monotonic() - began < 5
    assert s.exit_of(first).failure.kind == "timeout"


def test_a_trial_that_has_left_is_not_steered(stage):
    s = stage(lambda config: 1.0)
    trial = s.launch()
    s.exit_of(trial)
    for decision in (Continue(), Pause("late"), Stop("late"), Discard("memory://bucket/checkpoint")):
        s.steer(trial.id, decision)
    again = s.launch()
    assert s.exit_of(again).failure is None


def test_checkpoints_in_the_memory_of_one_process_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path))
    given = {"param_space": {"x": uniform(0, 1)}, "metric": "loss", "mode": "min", "loggers": (), "searcher": FakeSearcher()}
    with pytest.raises(OptionError, match="is within one process, and executor 'local' has several"):
        Tuner(lambda config: 1.0, executor="local", storage_path="memory://bucket", **given).fit()


def test_resources_that_never_fit_are_refused_at_once(stage):
    with pytest.raises(OptionError, match=r"no trial of this run can ever start: .* asks for cpu: 1000, .* has cpu: \d+"):
        stage(lambda config: None, needs={"cpu": 1000})
    s = stage(lambda config: None)
    with pytest.raises(CannotFit, match="asks for licence: 1, and this machine has cpu"):
        s.launch(resources={"licence": 1})


@pytest.mark.parametrize(("options", "message"), [({"workers": 0}, "workers=0"), ({"start": "thread"}, "start='thread'")])
def test_an_option_that_makes_no_sense_is_refused(stage, options, message):
    with pytest.raises(OptionError, match=message):
        stage(lambda config: None, **options)


def test_teardown_is_bounded_and_may_be_repeated(stage, alive):
    def train(config):
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        mt.report(loss=1.0)
        time.sleep(600)

    s = stage(train)
    for _ in range(2):
        s.launch()
    s.until(lambda: len(s.reports) >= 2)
    began = time.monotonic()
    s.close(KeyboardInterrupt())
    assert time.monotonic() - began < 5
    assert not alive()
    s.close()


def test_teardown_without_setup_does_nothing():
    from microtune_execute_local import LocalExecutor

    LocalExecutor().teardown(None, None)
