"""requested: what another process asked for holds at the trial's next result, whatever else would have been decided."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.lifecycle import requested
from microtune.testing import FakeScheduler, FakeSearcher, ScriptedExecutor


@pytest.fixture
def asked(tmp_path):
    """Asks without looking whether there is such a trial."""

    def ask(*names):
        folder = tmp_path / "run" / "requests"
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).touch()
        return folder

    return ask


def test_a_request_stops_the_trial_at_its_next_result_and_nobody_else_is_asked(scripted, journalled, asked):
    searcher, decided = FakeSearcher(), []
    scheduler = FakeScheduler(decide=lambda trial, result: decided.append(trial.id))
    run, executor = scripted(slots=2, searcher=searcher, num_samples=2, scheduler=scheduler)
    executor.reports("00000", 1, loss=1.0)
    executor.reports("00001", 1, loss=1.0)
    run.step()
    folder = asked("00000")
    executor.reports("00000", 2, loss=0.5)
    executor.reports("00001", 2, loss=0.5)
    run.step()
    assert [(event.trial, event.body) for event in journalled("decided")] == [
        ("00000", {"decision": "stop", "reason": "stopped on request", "by": "request"})
    ]
    assert decided == ["00000", "00001", "00001"]
    assert ("end", "00000", "STOPPED") in searcher.told
    assert (run.counts["STOPPED"], run.counts["RUNNING"]) == (1, 1)
    executor.exits("00000")
    run.step()
    executor.reports("00001", 3, loss=0.5)
    run.step()
    assert list(folder.iterdir()) == [], "of a trial that is over, nothing is asked any more"


def test_a_request_for_a_trial_that_is_not_there_is_dropped(scripted, asked):
    run, executor = scripted()
    folder = asked("00007")
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert list(folder.iterdir()) == []
    assert run.counts["RUNNING"] == 1


def test_nothing_is_removed_through_a_link(scripted, tmp_path):
    run, executor = scripted()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    (elsewhere / "00000").touch()
    (tmp_path / "run" / "requests").symlink_to(elsewhere)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert (elsewhere / "mine").exists()
    assert run.counts["RUNNING"] == 1


def test_it_is_looked_for_now_and_then(scripted, asked, monkeypatch):
    monkeypatch.setattr(requested, "EVERY", 3.0)  # a step takes this executor a second
    run, executor = scripted()
    asked("00000")
    for step, state in enumerate(["RUNNING", "RUNNING", "STOPPED"], start=1):
        executor.reports("00000", step, loss=1.0)
        run.step()
        assert run.counts[state] == 1


def test_a_request_outlives_the_process(scripted, killed, restored, opened, asked):
    run, executor = scripted()
    executor.reports("00000", 1, loss=1.0)
    run.step()
    asked("00000")
    again = ScriptedExecutor()
    run = opened(restored(folder=killed(run), executor=again))
    run.step()
    again.reports("00000", 2, loss=1.0, attempt=2)
    run.step()
    assert run.counts["STOPPED"] == 1


def test_a_request_for_a_paused_trial_waits_until_it_reports_again(scripted, asked):
    pauses = FakeScheduler(decide=lambda trial, result: mt.Pause("later"))
    run, executor = scripted(scheduler=pauses, slots=2, num_samples=2)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    executor.exits("00000")
    run.step()
    folder = asked("00000")
    executor.reports("00001", 1, loss=1.0)
    run.step()
    assert run.counts["PAUSED"] == 2
    assert [path.name for path in folder.iterdir()] == ["00000"]
