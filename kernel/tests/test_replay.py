"""Replay: a run that was killed after any commit goes on as if it had not been."""

from __future__ import annotations

import os
import shutil

import pytest

import microtune as mt
from microtune import events as ev
from microtune.journal import Reader
from microtune.replay import State
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher, ScriptedExecutor

STEPS = 6


def irregular(config, iteration):
    """Seconds, in eighths, of which sums are exact."""
    return (3 + (int(config["x"] * 1000) + iteration * 5) % 7) / 8


def saves(config):
    """A checkpoint at every step; a large x never ends well."""
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, STEPS + 1):
        if step == 4 and config["x"] > 0.9:
            raise ValueError("too large")
        folder = mt.checkpoint_dir()
        (folder / "step").write_text(str(step))
        mt.report(loss=config["x"] / step, checkpoint=folder)


def saves_nothing(config):
    for step in range(1, STEPS + 1):
        mt.report(loss=config["x"] / step)


class Saves(mt.Trainable):
    """Saves when it is told to leave."""

    def setup(self, config):
        self.steps = 0

    def step(self):
        self.steps += 1
        return {"loss": self.config["x"] / self.steps, "done": self.steps == STEPS}

    def save_checkpoint(self, folder):
        (folder / "step").write_text(str(self.steps))

    def load_checkpoint(self, folder):
        self.steps = int((folder / "step").read_text())


class Learner:
    """Proposes near the best that it was told of, by a random number or by the kernel's generator."""

    def __init__(self):
        self.best = (9.0, 0.5)
        self.configs = {}
        self.told = []

    @mt.hookimpl
    def suggest(self, rng):
        return mt.Start({"x": (self.best[1] + rng.random()) % 1.0}, token={"best": self.best[1]})

    @mt.hookimpl
    def on_start(self, trial):
        self.told.append(("on_start", trial, None))
        self.configs[trial.id] = trial.config["x"]

    @mt.hookimpl
    def on_result(self, trial, result):
        self.told.append(("on_result", trial, result))
        self.best = min(self.best, (result.metrics["loss"], self.configs[trial.id]))

    @mt.hookimpl
    def on_end(self, trial):
        self.told.append(("on_end", trial, None))


class Population:
    """Pauses every trial at each second step; resumes the best, ends the worst, or sends it on from the best's checkpoint."""

    def __init__(self, *, donors=True):
        self.donors = donors
        self.paused = {}
        self.created = self.moves = 0

    @mt.hookimpl
    def decide(self, trial, result):
        if result.training_iteration == 5 and result.metrics["loss"] > 0.06:
            return mt.Stop("too large a loss")
        return mt.Pause("rung") if self.at_rung(result) else None

    @mt.hookimpl
    def on_result(self, trial, result):
        if self.at_rung(result):
            self.paused[trial.id] = (result.metrics["loss"], trial.id, trial.config["x"], result.checkpoint)

    @mt.hookimpl
    def on_start(self, trial):
        self.created += trial.starts == 1
        self.moves += trial.starts > 1
        self.paused.pop(trial.id, None)

    @mt.hookimpl
    def on_end(self, trial):
        self.moves += trial.id in self.paused
        self.paused.pop(trial.id, None)

    @mt.hookimpl
    def suggest(self, run):
        if len(self.paused) < 2 and not (self.paused and self.created == run.num_samples):
            return None
        ranked = sorted(self.paused.values())
        best, worst = ranked[0], ranked[-1]
        move = self.moves % 4
        if best is not worst and move == 1:
            return mt.Stop("the worst", trial_id=worst[1])
        if best is worst or move != 3 or not self.donors:
            return mt.Resume(best[1])
        x = run.rng("explore", worst[1], self.moves).random()
        return mt.Resume(worst[1], config={"x": (best[2] + x / 10) % 1}, checkpoint=best[3])

    @staticmethod
    def at_rung(result):
        return result.training_iteration % 2 == 0 and result.training_iteration < STEPS


def images(run, folder):
    """Drive the run to its end; the folder as it was after each commit, as a SIGKILL would leave it."""
    journal = run._kernel.journal
    commit, found = journal.commit, []

    def commit_and_copy(*arguments):
        events = commit(*arguments)
        if events:
            found.append(folder / f"killed-{len(found):03}")
            shutil.copytree(run.facts.path, found[-1])
        return events

    journal.commit = commit_and_copy
    while run.step():
        pass
    run.close()
    return found


def history(folder):
    """The suggestions, results and decisions; of a checkpoint the trial and the iteration, as its attempt may differ."""
    reader = Reader(str(folder))
    events = []
    for event in reader.events(kinds=(ev.CREATED, ev.RESUMED, ev.RESULT, ev.DECIDED, ev.ENDED)):
        body = dict(event.body)
        if body.get("checkpoint"):
            trial_id, _, name = body["checkpoint"].split("/")[-3:]
            body["checkpoint"] = (trial_id, name.split("-")[0])
        body.pop("failure", None)
        if not body.get("repeat"):
            events.append((event.kind, event.trial, event.at, body))
    reader.close()
    return events


def told(searcher):
    """What a searcher heard, without the folders, which differ from image to image."""
    return [
        (hook, trial._replace(folder="", checkpoint=None), result and result._replace(checkpoint=None))
        for hook, trial, result in searcher.told
    ]


RUNS = {
    "a population": (saves, lambda: {"scheduler": Population(), "checkpoints": {"keep": 2}}),
    "a class that saves on its way out": (
        Saves, lambda: {"scheduler": Population(donors=False), "checkpoints": {"at_end": True, "keep": 1}},
    ),
    "no checkpoints": (saves_nothing, dict),
    "failures": (saves, lambda: {"max_failures": 1, "checkpoints": {"keep": 1, "metric": "loss", "mode": "min"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_was_killed_after_any_commit_goes_on_as_if_it_had_not_been(name, tuner, opened, restored, tmp_path):
    trainable, options = RUNS[name]

    def plugins():
        return {**options(), "searcher": Learner(), "executor": FakeExecutor(workers=3, duration=irregular)}

    run = opened(tuner(trainable, num_samples=4, **plugins()))
    found = images(run, tmp_path)
    whole = history(run.facts.path)
    assert {kind for kind, *_ in whole} >= {ev.CREATED, ev.RESULT, ev.ENDED}
    assert len(found) > 20
    for image in found:
        restored(trainable, folder=image, **plugins()).fit()
        assert history(image) == whole, image.name


def test_the_population_of_these_tests_does_everything_that_a_scheduler_can(tuner):
    results = tuner(saves, num_samples=7, searcher=Learner(), scheduler=Population(), executor=FakeExecutor(workers=3)).fit()
    bodies = [(kind, body) for kind, _, _, body in history(results.path)]
    assert ("resumed", {}) in bodies
    assert any(kind == "resumed" and {"config", "checkpoint", "iteration"} <= body.keys() for kind, body in bodies)
    reasons = {trial.reason for trial in results}
    assert {"too large a loss", "the worst"} <= reasons


def test_a_replay_tells_what_was_told_live(tuner, opened, restored, killed):
    live, again = Learner(), Learner()
    run = opened(tuner(saves, num_samples=7, searcher=live, scheduler=Population(), executor=FakeExecutor(workers=3)))
    for _ in range(25):
        run.step()
    heard = told(live)
    opened(restored(saves, folder=killed(run), searcher=again, scheduler=Population()))
    assert len(heard) > 20
    assert told(again) == heard


def test_the_clock_of_a_replay_is_the_one_that_was_shown_live(tuner, restored, opened):
    class Clocks(FakeSearcher):
        def __init__(self):
            super().__init__()
            self.times = []

        @mt.hookimpl
        def on_start(self, run, trial):
            self.times.append(("start", run.now))

        @mt.hookimpl
        def on_result(self, run, trial, result):
            self.times.append(("result", run.now))

        @mt.hookimpl
        def on_end(self, run, trial):
            self.times.append(("end", run.now))

    live, again, executor = Clocks(), Clocks(), ScriptedExecutor()
    run = opened(tuner(searcher=live, num_samples=2, executor=executor))
    run.step()
    executor._reports = [mt.Reported("00000", 1, 0.25, {"loss": 1.0}, 1), mt.Exited("00000", 1, 0.5)]
    run.step()  # it hears of both one second later
    run.close()
    opened(restored(searcher=again))
    assert live.times == again.times == [("start", 0.0), ("result", 0.25), ("end", 0.5), ("start", 1.0)]


def test_suggest_and_decide_are_not_called_by_a_replay(tuner, restored, opened):
    class Silent(FakeScheduler):
        @mt.hookimpl
        def suggest(self):
            raise AssertionError("asked for a suggestion")

        @mt.hookimpl
        def decide(self):
            raise AssertionError("asked for a decision")

    tuner(scheduler=FakeScheduler(), time_budget_s=5, num_samples=5).fit()
    opened(restored(scheduler=Silent()))


# --- what a resume may change ----------------------------------------------------------------------------------------


class Another(FakeSearcher):
    def __init__(self):
        super().__init__()
        self.tokens = []

    @mt.hookimpl
    def on_start(self, run, trial):
        self.tokens.append((trial.id, trial.token))


def test_another_searcher_hears_the_trials_of_the_first_one_without_their_tokens(tuner, restored):
    configs = [{"x": x / 10} for x in range(6)]
    tuner(searcher=FakeSearcher(configs=configs), num_samples=2).fit()
    another = Another()
    another.configs = configs
    restored(searcher=another, num_samples=4).fit()
    assert another.tokens == [("00000", None), ("00001", None), ("00002", 0), ("00003", 0)]  # it counts its own only


def test_the_first_searcher_gets_its_own_tokens_back_when_it_returns(tuner, restored):
    class First(Another):
        @mt.hookimpl
        def suggest(self, run, rng):
            return mt.Start({"x": 0.5}, token="first")

    class Second(Another):
        @mt.hookimpl
        def suggest(self, run, rng):
            return mt.Start({"x": 0.5}, token="second")

    tuner(searcher=First(), num_samples=1).fit()
    restored(searcher=Second(), num_samples=2).fit()
    last = First()
    restored(searcher=last, num_samples=3).fit()
    assert last.tokens == [("00000", "first"), ("00001", None), ("00002", "first")]


def test_another_modifier_is_another_searcher(tuner, restored):
    class Front(mt.Modifier):
        pass

    tuner(searcher=FakeSearcher(configs=[{"x": 0.1}]), modifiers=[Front]).fit()
    another = Another()
    restored(searcher=another, modifiers=[]).fit()
    assert another.tokens == [("00000", None)]


def test_another_scheduler_finds_the_paused_trials_pending(tuner, restored, journalled):
    class Promotes(FakeScheduler):
        pass

    tuner(scheduler=FakeScheduler(decide=lambda trial, result: mt.Pause("rung")), num_samples=2).fit()
    searcher, executor = FakeSearcher(), FakeExecutor()
    results = restored(scheduler=Promotes(), searcher=searcher, executor=executor).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 2
    assert executor.launched == [("00000", 2), ("00001", 2)]
    assert [event.body for event in journalled("resumed")] == [{"reason": "the scheduler was changed"}] * 2
    assert [entry for entry in searcher.told if entry[0] == "start"][2:] == [("start", "00000", 2), ("start", "00001", 2)]


@pytest.mark.parametrize("scheduler", [FakeScheduler, None])
def test_the_same_scheduler_finds_them_paused_and_none_at_all_is_another(scheduler, tuner, restored):
    tuner(scheduler=FakeScheduler(decide=lambda trial, result: mt.Pause("rung"))).fit()
    results = restored(scheduler=scheduler and scheduler()).fit()
    assert results[0].state == ("PAUSED" if scheduler else "COMPLETED")


def test_a_finished_run_can_be_extended(tuner, restored):
    tuner(num_samples=2).fit()
    results = restored(num_samples=5).fit()
    assert len(results) == 5
    assert results.closed["finished"]


def test_a_resume_of_a_finished_run_finds_nothing_to_do(tuner, restored, journalled):
    tuner(num_samples=2).fit()
    executor = FakeExecutor()
    restored(executor=executor).fit()
    assert executor.launched == []
    assert [event.kind for event in journalled()][-2:] == ["changed", "closed"]


# --- the fold --------------------------------------------------------------------------------------------------------


def test_the_state_is_the_fold_of_the_events(tuner, opened, journalled):
    """After every turn, with the state as another process would rebuild it from what is on disk."""
    run = opened(tuner(saves, num_samples=7, searcher=Learner(), scheduler=Population(), executor=FakeExecutor(workers=3)))
    live = run._kernel.state
    while run.step():
        folded = State(run.facts.path, run.facts.objective.has)
        for event in journalled():
            folded.apply(event)
        assert folded.seq == live.seq
        assert folded.counts == live.counts
        assert folded.restore_points == live.restore_points
        for trial_id, life in live.lives.items():
            assert folded.lives[trial_id].trial == life.trial
            assert folded.lives[trial_id].spent == life.spent


def test_a_trial_that_is_over_takes_no_room(tuner, restored, opened):
    tuner(num_samples=30, executor=FakeExecutor(workers=3)).fit()
    run = opened(restored())
    assert not run._kernel.state.lives
    assert run.counts["COMPLETED"] == 30


def test_elapsed_time_is_the_sum_over_sessions(tuner, restored, opened):
    tuner(num_samples=2).fit()
    for number, gap in ((3, 0.5), (4, 86400.0), (5, 0.0)):
        run = opened(restored(num_samples=number, executor=Late(gap)))
        assert run._kernel.state.elapsed == 3.0 * (number - 1)
        while run.step():
            pass
        run.close()


class Late(FakeExecutor):
    """Another session, so much later."""

    def __init__(self, gap):
        super().__init__()
        self.gap = gap

    @mt.hookimpl
    def wait(self, run, until):
        if self.gap:
            self._now, self.gap = run.now + self.gap, 0.0
        return super().wait(run, until)


def test_folders_of_checkpoints_are_found_again(tuner, restored):
    results = tuner(saves, num_samples=2, time_budget_s=4).fit()
    paths = [path for trial in results for path in trial.checkpoints.values()]
    assert paths
    restored(saves, time_budget_s=100).fit()
    assert all(os.path.isdir(path) for path in paths)
