"""One plugin writes down every hook that it hears: the expected list is the life of a trial."""

from __future__ import annotations

import microtune as mt
from microtune.answers import Pause, Resume, Stop
from microtune.testing.fakes import FakeExecutor, FakeScheduler, FakeSearcher


class Diary:
    """A logger that hears everything."""

    def __init__(self):
        self.lines = []

    @mt.hookimpl
    def setup(self, run):
        self.lines.append("setup")

    @mt.hookimpl
    def on_start(self, trial):
        self.lines.append(f"on_start {trial.id} {trial.state} starts={trial.starts}")

    @mt.hookimpl
    def launch(self, trial):
        self.lines.append(f"launch {trial.id} attempt={trial.attempt}")

    @mt.hookimpl
    def on_result(self, trial, result):
        self.lines.append(f"on_result {trial.id} iteration={result.training_iteration} {result.metrics}")

    @mt.hookimpl
    def decide(self, trial, result):
        self.lines.append(f"decide {trial.id}")

    @mt.hookimpl
    def steer(self, trial, decision):
        self.lines.append(f"steer {trial.id} {type(decision).__name__}")

    @mt.hookimpl
    def on_end(self, trial):
        self.lines.append(f"on_end {trial.id} {trial.state} {trial.reason}")

    @mt.hookimpl
    def log(self, event):
        self.lines.append(f"log {event.kind}")

    @mt.hookimpl
    def teardown(self, error):
        self.lines.append(f"teardown {error}")


def three_steps(config):
    for step in range(3):
        mt.report(loss=config["x"] / (step + 1))


def test_the_life_of_one_trial():
    diary = Diary()
    mt.Tuner(
        three_steps, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min",
        searcher=FakeSearcher(configs=[{"x": 0.5}]),
        scheduler=FakeScheduler(decide=lambda trial, result: Stop("enough") if result.training_iteration == 2 else None),
        executor=FakeExecutor(), loggers=[diary], storage_path=":memory:",
    ).fit()  # fmt: skip
    assert diary.lines == [
        "setup",
        "on_start 00000 PENDING starts=1",
        "launch 00000 attempt=1",
        "log opened",
        "log created",
        "log launched",
        "on_result 00000 iteration=1 {'loss': 0.5}",
        "decide 00000",
        "steer 00000 Continue",
        "log result",
        "on_result 00000 iteration=2 {'loss': 0.25}",
        # Told in the order of the roles: a stop rule, the scheduler, the searcher, the executor, the loggers. The scheduler
        # decided, and nobody is asked after it.
        "on_end 00000 STOPPED enough",
        "steer 00000 Stop",
        "log result",
        "log decided",
        "log ended",
        "log closed",
        "teardown None",
    ]


def test_the_life_of_a_trial_that_is_paused_and_resumed():
    def decide(trial, result):
        return Pause("rung") if trial.starts == 1 and result.training_iteration == 2 else None

    paused = []

    class Promoter(FakeScheduler):
        @mt.hookimpl
        def on_result(self, trial, result):
            if trial.starts == 1 and result.training_iteration == 2:
                paused.append(trial.id)

        @mt.hookimpl
        def on_start(self, trial):
            if trial.starts == 2:
                paused.remove(trial.id)

    def train(config):
        start = 0
        if mt.get_checkpoint():
            start = int((mt.get_checkpoint() / "step").read_text())
        for step in range(start, 3):
            folder = mt.checkpoint_dir()
            (folder / "step").write_text(str(step + 1))
            mt.report(loss=1.0 / (step + 1), checkpoint=folder)

    diary = Diary()
    results = mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(configs=[{"x": 0.5}]),
        scheduler=Promoter(decide=decide, suggest=lambda run: Resume(paused[0]) if paused else None),
        executor=FakeExecutor(), loggers=[diary], storage_path=":memory:",
    ).fit()  # fmt: skip
    told = [line for line in diary.lines if line.startswith(("on_", "launch", "steer"))]
    assert told == [
        "on_start 00000 PENDING starts=1",
        "launch 00000 attempt=1",
        "on_result 00000 iteration=1 {'loss': 1.0}",
        "steer 00000 Continue",
        "on_result 00000 iteration=2 {'loss': 0.5}",
        "steer 00000 Pause",
        "on_start 00000 PENDING starts=2",
        "launch 00000 attempt=2",
        "on_result 00000 iteration=3 {'loss': 0.3333333333333333}",
        "steer 00000 Continue",
        "on_end 00000 COMPLETED completed",
    ]
    assert [row["training_iteration"] for row in results[0].history] == [1, 2, 3]
