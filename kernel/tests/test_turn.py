"""One turn: in which order things happen, and what is on disk before they do."""

from __future__ import annotations

import microtune as mt
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher, ScriptedExecutor


class Witness(ScriptedExecutor):
    """Looks into the journal whenever it is told something."""

    def __init__(self, seen, **options):
        super().__init__(**options)
        self.seen = seen
        self.found = []

    @mt.hookimpl
    def launch(self, trial):
        self.found.append(("launch", [event.kind for event in self.seen()][-1]))
        super().launch(trial)

    @mt.hookimpl
    def steer(self, trial, decision):
        self.found.append(("steer", [event.kind for event in self.seen()][-1]))
        super().steer(trial, decision)


def test_nothing_reaches_a_worker_before_what_it_follows_from_is_on_disk(tuner, opened, journalled):
    executor = Witness(journalled)
    scheduler = FakeScheduler(decide=lambda trial, result: mt.Stop("enough") if result.training_iteration == 2 else None)
    run = opened(tuner(executor=executor, scheduler=scheduler, num_samples=2))
    run.step()
    executor.reports("00000", 1, loss=1.0)
    run.step()
    executor.reports("00000", 2, loss=1.0)
    run.step()
    assert executor.found == [("launch", "launched"), ("steer", "result"), ("steer", "ended"), ("launch", "launched")]


def test_loggers_hear_only_what_is_on_disk(tuner, journalled):
    behind = []

    class Checks:
        @mt.hookimpl
        def log(self, event):
            if event.seq not in {other.seq for other in journalled()}:
                behind.append(event)

    tuner(loggers=[Checks()], num_samples=3).fit()
    assert behind == []


def test_a_batch_is_worked_through_in_its_order(scripted):
    searcher = FakeSearcher()
    run, executor = scripted(slots=3, num_samples=3, searcher=searcher)
    executor.reports("00002", 1, loss=0.2)
    executor.reports("00000", 1, loss=0.0)
    executor.exits("00000")
    executor.reports("00001", 1, loss=0.1)
    run.step()
    assert [told[:2] for told in searcher.told[3:]] == [
        ("result", "00002"), ("result", "00000"), ("end", "00000"), ("result", "00001"),
    ]  # fmt: skip
    assert [trial_id for trial_id, _ in executor.steered] == ["00002", "00001"]  # nobody is left in 00000 to hear it


def test_a_slot_that_a_decision_gives_back_is_filled_in_the_same_turn(scripted):
    stop = FakeScheduler(decide=lambda trial, result: mt.Stop("enough"))
    run, executor = scripted(num_samples=2, scheduler=stop)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert [trial.id for trial in executor.launched] == ["00000", "00001"]


def test_a_turn_in_which_nothing_happens_writes_nothing(scripted, journalled):
    run, executor = scripted()
    before = len(journalled())
    executor.reports("00000", 1, attempt=0, loss=1.0)  # of a past attempt
    assert run.step()
    assert len(journalled()) == before


def test_a_run_is_over_once_nothing_runs_and_nothing_is_left_to_start(scripted):
    run, executor = scripted(num_samples=1)
    executor.reports("00000", 1, loss=1.0)
    assert run.step()
    executor.exits("00000")
    assert not run.step()
    assert run.outcome == (True, "all 1 trials have been started")


def test_a_run_is_not_over_before_the_last_worker_has_left(scripted):
    run, executor = scripted(scheduler=FakeScheduler(decide=lambda trial, result: mt.Stop("enough")))
    executor.reports("00000", 1, loss=1.0)
    assert run.step()
    executor.exits("00000")
    assert not run.step()


def test_trials_that_are_still_paused_do_not_keep_a_run_open(tuner):
    results = tuner(scheduler=FakeScheduler(decide=lambda trial, result: mt.Pause("for ever")), num_samples=2).fit()
    assert [trial.state for trial in results] == ["PAUSED", "PAUSED"]
    assert results.closed["finished"]


def test_a_trial_that_is_over_leaves_nothing_behind_in_memory(tuner, opened):
    run = opened(tuner(num_samples=20, executor=FakeExecutor(workers=3)))
    while run.step():
        pass
    state = run._kernel.state
    assert run.counts["COMPLETED"] == 20
    assert not state.lives
    assert not state.pending
    assert not state.restore_points
    assert not run._kernel.leaving
