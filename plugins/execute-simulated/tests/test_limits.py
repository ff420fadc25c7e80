from __future__ import annotations

import time

import pytest

import microtune as mt
from microtune.testing import FakeSearcher
from microtune_execute_simulated import Curve, SimulatedExecutor

ENDLESS = Curve(lambda config, step: {"loss": 0.0})


def failed(told):
    return [
        (event.at, event.body["failure"]["kind"])
        for event in told.of("interrupted", "ended")
        if "failure" in event.body
    ]


def test_a_trial_is_ended_by_its_time_limit_to_the_second(simulate):
    told = simulate(ENDLESS, told={"trial_timeout_s": 7.5, "num_samples": 2}, seconds=2, startup=1)
    assert failed(told) == [(7.5, "timeout"), (15.0, "timeout")]
    assert told.times("result", "00000") == [3, 5, 7]
    assert "took longer than 7.5 s (trial_timeout_s)" in told.results[0].error


def test_a_step_that_takes_too_long_is_ended_by_the_time_limit_of_a_report(simulate):
    told = simulate(
        ENDLESS, told={"report_timeout_s": 10, "num_samples": 1},
        seconds=lambda config, iteration, metrics: 1000 if iteration == 3 else 9,
    )  # fmt: skip
    assert told.times("result") == [9, 18]
    assert failed(told) == [(28, "timeout")]
    assert "reported nothing for 10 s (report_timeout_s)" in told.results[0].error


def test_a_retry_has_the_whole_time_again(simulate):
    told = simulate(
        ENDLESS, told={"trial_timeout_s": 3.5, "num_samples": 1, "max_failures": 1, "checkpoints": {"every": 1}}
    )
    assert failed(told) == [(3.5, "timeout"), (7.0, "timeout")]
    assert told.times("result") == [1, 2, 3, 4.5, 5.5, 6.5]


def test_a_time_budget_is_virtual_and_trials_leave_at_their_next_report(simulate):
    begin = time.monotonic()
    told = simulate(
        ENDLESS, told={"time_budget_s": 86_400.0, "num_samples": 2, "grace_s": 3600}, workers=2, seconds=1000
    )
    assert time.monotonic() - begin < 30
    assert [trial.state for trial in told.results] == ["PENDING", "PENDING"]
    assert [row["training_iteration"] for row in told.results[0].history] == list(range(1, 88))
    assert told.times("interrupted") == [86_400, 86_400]
    assert told.events[-1].at == 87_000, "the run is over when the last one has left"


def test_a_trial_that_is_in_a_long_step_when_the_run_ends_is_killed_after_the_grace_period(simulate):
    told = simulate(ENDLESS, told={"time_budget_s": 1500.0, "num_samples": 1, "grace_s": 60}, seconds=1000)
    assert told.times("result") == [1000]
    [fault] = told.of("fault")
    assert (fault.at, fault.body["kind"]) == (1560, "timeout")
    assert told.results[0].state == "PENDING"


def test_a_run_that_was_ended_by_its_budget_goes_on_with_its_clock(make, tmp_path):
    given = {"storage_path": tmp_path, "num_samples": 1, "grace_s": 60.0}
    make(ENDLESS, SimulatedExecutor(seconds=10), time_budget_s=25.0, **given).fit()
    results = mt.Tuner.restore(
        tmp_path / "run", ENDLESS, executor=SimulatedExecutor(seconds=10), searcher=FakeSearcher(),
        time_budget_s=45.0,
    ).fit()  # fmt: skip
    assert [row["training_iteration"] for row in results[0].history] == [1, 2, 3, 4, 5]


# --- real time -------------------------------------------------------------------------------------------------------


def slow(config):
    mt.report(loss=1.0)
    time.sleep(config["seconds"])
    mt.report(loss=2.0)


@pytest.fixture
def computing(make, tmp_path):
    """(executor, facts, trial) of a trial that has reported at 5 s and computes for a real while before it does so again."""
    executor = SimulatedExecutor(seconds=5)
    run = make(slow, executor, storage_path=tmp_path).open()
    trial = mt.Trial("00000", 0, {"seconds": 2.5}, "RUNNING", attempt=1, folder=str(tmp_path / "trial"))
    try:
        executor.on_start(run=run.facts, trial=trial)
        executor.launch(run=run.facts, trial=trial)
        assert executor.wait(run=run.facts, until=1e9).reports[0].at == 5
        executor.steer(run=run.facts, trial=trial, decision=mt.Continue())
        yield executor, run.facts, trial
    finally:
        run.close()


def heard(executor, run):
    """All reports until the trial exits."""
    told, end = [], time.monotonic() + 30
    while not (told and isinstance(told[-1], mt.Exited)):
        assert time.monotonic() < end
        batch = executor.wait(run=run, until=1e9)
        told += batch.reports
        for report in batch.reports:
            if isinstance(report, mt.Reported):
                executor.steer(run=run, trial=mt.Trial(report.trial_id, 0, {}), decision=mt.Continue())
    return told


def test_a_trainable_that_computes_for_long_lets_the_kernel_look_at_its_signals(computing):
    executor, run, _ = computing
    begin = time.monotonic()
    batch = executor.wait(run=run, until=1e9)
    assert time.monotonic() - begin < 2
    assert batch.reports == []
    assert batch.now == 5, "virtual time stands still while somebody computes"
    assert [(type(report).__name__, report.at) for report in heard(executor, run)] == [("Reported", 10), ("Exited", 10)]


def test_a_trial_that_is_told_to_leave_while_it_computes_leaves_at_its_report(computing):
    executor, run, trial = computing
    assert executor.wait(run=run, until=1e9).reports == []
    executor.steer(run=run, trial=trial, decision=mt.Pause("the run is over"))
    assert [(type(report).__name__, report.at) for report in heard(executor, run)] == [("Reported", 10), ("Exited", 10)]


def test_what_would_never_happen_is_not_waited_for(make):
    executor = SimulatedExecutor()
    run = make(ENDLESS, executor).open()
    try:
        with pytest.raises(mt.RunError, match="never move"):
            executor.wait(run=run.facts, until=float("inf"))
    finally:
        run.close()
