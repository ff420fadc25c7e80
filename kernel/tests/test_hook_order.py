"""One plugin writes down every hook that it hears: the expected list is the life of a trial."""

from __future__ import annotations

import microtune as mt
from microtune.answers import Pause, Resume, Stop, StopRun
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


def test_the_life_of_a_trial_that_is_tried_again():
    def train(config):
        mt.report(loss=1.0)
        if mt.get_context().attempt == 1:
            raise ValueError("once")
        mt.report(loss=0.5)

    diary = Diary()
    mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(configs=[{"x": 0.5}]),
        max_failures=1, executor=FakeExecutor(), loggers=[diary], storage_path=":memory:",
    ).fit()  # fmt: skip
    assert [line for line in diary.lines if not line.startswith(("setup", "teardown"))] == [
        "on_start 00000 PENDING starts=1",
        "launch 00000 attempt=1",
        "log opened",
        "log created",
        "log launched",
        "on_result 00000 iteration=1 {'loss': 1.0}",
        "decide 00000",
        "steer 00000 Continue",
        "log result",
        "launch 00000 attempt=2",
        "log interrupted",
        "log launched",
        # What it repeats is answered and written down, and told to nobody.
        "steer 00000 Continue",
        "log result",
        "on_result 00000 iteration=2 {'loss': 0.5}",
        "decide 00000",
        "steer 00000 Continue",
        "log result",
        "on_end 00000 COMPLETED completed",
        "log ended",
        "log closed",
    ]


def test_two_trials_of_a_run_that_a_decision_ends():
    diary = Diary()
    scheduler = FakeScheduler(decide=lambda trial, result: StopRun("enough") if trial.number else None)
    mt.Tuner(
        three_steps, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=9,
        searcher=FakeSearcher(), scheduler=scheduler,
        executor=FakeExecutor(workers=2), loggers=[diary], storage_path=":memory:", seed=1,
    ).fit()  # fmt: skip
    told = [line.partition(" {")[0] for line in diary.lines if line.startswith(("on_", "launch", "steer"))]
    assert told == [
        "on_start 00000 PENDING starts=1",
        "on_start 00001 PENDING starts=1",
        "launch 00000 attempt=1",
        "launch 00001 attempt=1",
        "on_result 00000 iteration=1",
        "steer 00000 Continue",
        "on_result 00001 iteration=1",
        # Both keep their place in the run, so neither is ended.
        "steer 00000 Pause",
        "steer 00001 Pause",
    ]


def test_who_is_asked_and_told_in_which_order(tmp_path):
    lines = []

    def writes(base, name):
        """A subclass of a fake that also writes down what it hears."""

        class Writes(base):
            def heard(self, hook):
                lines.append(f"{hook}: {name}")

            @mt.hookimpl
            def setup(self, run):
                self.heard("setup")
                inherited(super(), "setup", run)

            @mt.hookimpl
            def suggest(self, run, rng):
                self.heard("suggest")
                return inherited(super(), "suggest", run, rng)

            @mt.hookimpl
            def on_start(self, run, trial):
                self.heard("on_start")
                inherited(super(), "on_start", run, trial)

            @mt.hookimpl
            def decide(self, run, trial, result):
                self.heard("decide")
                return inherited(super(), "decide", run, trial, result)

            @mt.hookimpl
            def checkpoint(self, run, trial, checkpoint):
                self.heard("checkpoint")
                return inherited(super(), "checkpoint", run, trial, checkpoint)

            @mt.hookimpl
            def teardown(self, run, error):
                self.heard("teardown")
                inherited(super(), "teardown", run, error)

        return Writes

    def inherited(parent, hook, *arguments):
        return getattr(parent, hook)(*arguments) if hasattr(parent, hook) else None

    def train(config):
        mt.report(loss=1.0, checkpoint=mt.checkpoint_dir())

    mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", storage_path=tmp_path,
        loggers=[writes(object, "logger 1")(), writes(object, "logger 2")()], executor=writes(FakeExecutor, "executor")(),
        modifiers=[writes(mt.Modifier, "modifier 1"), writes(mt.Modifier, "modifier 2")],
        searcher=writes(FakeSearcher, "searcher")(), scheduler=writes(object, "scheduler")(),
        stop=[writes(object, "rule 1")(), writes(object, "rule 2")()],
    ).fit()  # fmt: skip
    order = ["rule 1", "rule 2", "scheduler", "modifier 1", "modifier 2", "searcher", "executor", "logger 1", "logger 2"]
    for hook in ("setup", "on_start", "decide", "checkpoint"):
        assert [line.partition(": ")[2] for line in lines if line.startswith(hook)] == order, hook
    # A modifier is told of the end before what is behind it, of which it is the front.
    assert [line.partition(": ")[2] for line in lines if line.startswith("teardown")] == [
        "logger 2", "logger 1", "executor", "modifier 1", "modifier 2", "searcher", "scheduler", "rule 2", "rule 1",
    ]  # fmt: skip
    assert [line.partition(": ")[2] for line in lines if line.startswith("suggest")] == [
        "rule 1", "rule 2", "scheduler", "modifier 1", "modifier 2", "searcher",  # the first slot; no logger is asked
        "rule 1", "rule 2", "scheduler",  # the trial is over: one was to be had, so the searcher is not asked again
    ]  # fmt: skip
