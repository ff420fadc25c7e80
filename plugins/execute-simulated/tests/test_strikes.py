from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeLogger
from microtune.testing.bench import failures
from microtune.testing.contract import finish
from microtune_execute_simulated import Curve, SimulatedExecutor

LONG = Curve(lambda config, step: {"loss": 1 / step}, steps=100)


def struck(told, trial=None):
    return [
        event for event in told.of("interrupted", "ended") if event.body.get("failure") and trial in (None, event.trial)
    ]


@pytest.mark.parametrize(("option", "kind"), [("crashes", "error"), ("preemptions", "lost")])
def test_failures_come_as_often_as_was_said_and_are_of_their_class(simulate, option, kind):
    told = simulate(
        LONG, told={"num_samples": 40, "max_failures": -1, "checkpoints": {"every": 1}}, workers=8, **{option: 0.05}
    )
    assert [trial.state for trial in told.results] == ["COMPLETED"] * 40
    found = struck(told)
    assert {event.body["failure"]["kind"] for event in found} == {kind}
    # A step of 1 s is interrupted with probability 1 - exp(-0.05) and done again; a trial runs until 100 are done. The expected
    # time to get through one step is (exp(0.05) - 1) / 0.05, and failures come at 0.05 a second of it.
    expected = 40 * 100 * (math.exp(0.05) - 1)
    assert len(found) == pytest.approx(expected, abs=5 * math.sqrt(expected))
    assert sum(trial.metrics["time_total_s"] for trial in told.results) == pytest.approx(expected / 0.05, rel=0.05)


def test_both_kinds_come_in_their_proportion(simulate):
    told = simulate(
        LONG, told={"num_samples": 40, "max_failures": -1, "checkpoints": {"every": 1}}, workers=8, crashes=0.03,
        preemptions=0.01,
    )  # fmt: skip
    kinds = Counter(event.body["failure"]["kind"] for event in struck(told))
    share = kinds["error"] / kinds.total()
    assert share == pytest.approx(0.75, abs=5 * math.sqrt(0.75 * 0.25 / kinds.total()))


def test_what_strikes_a_trial_does_not_depend_on_the_others(simulate):
    moments = []
    for workers in (1, 3, 20):
        told = simulate(LONG, told={"num_samples": 12}, workers=workers, crashes=0.02)
        born = {event.trial: event.at for event in told.of("created")}
        moments.append({event.trial: event.at - born[event.trial] for event in struck(told)})
    assert len(moments[0]) > 6
    assert moments[0] == pytest.approx(moments[1])
    assert moments[0] == pytest.approx(moments[2])


def test_another_seed_strikes_elsewhere(simulate):
    one, other = (simulate(LONG, told={"seed": seed}, crashes=0.02).events for seed in (1, 2))
    assert [event.at for event in one] != [event.at for event in other]


def test_what_was_lost_is_done_again_and_takes_its_time_again(simulate):
    told = simulate(
        Curve(lambda config, step: {"loss": 0.0}, steps=30),
        told={"num_samples": 1, "max_failures": -1, "checkpoints": {"every": 10}}, crashes=0.03, startup=2, restoring=4,
        saving=1,
    )  # fmt: skip
    strikes = [event.at for event in struck(told)]
    assert strikes, "this seed strikes"
    # The model: from the last checkpoint on, 1 s a step and 1 s more with a checkpoint; a strike begins it again.
    expected, saved, at, left = {}, 0, 2.0, list(strikes)
    step = 0
    while step < 30:
        due = at + 1 + (1 if (step + 1) % 10 == 0 else 0)
        if left and left[0] <= due:
            at, step = left.pop(0) + 2 + (4 if saved else 0), saved
            continue
        at, step = due, step + 1
        expected.setdefault(step, at)
        if step % 10 == 0:
            saved = step
    got = {event.body["iteration"]: event.at for event in told.of("result") if not event.body.get("repeat")}
    assert got == pytest.approx(expected)


def test_a_trial_that_really_runs_is_left_in_order_and_what_it_had_not_reported_is_gone(make, tmp_path):
    left = []

    def train(config):
        start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
        try:
            for step in range(start + 1, 9):
                with mt.checkpoint_dir() as folder:
                    (folder / "step").write_text(str(step))
                    mt.report(loss=1 / step, first=start, checkpoint=folder)
        finally:
            left.append(mt.get_context().attempt)

    logger = FakeLogger()
    results = finish(
        make(train, SimulatedExecutor(workers=2, crashes=0.15), max_failures=-1, storage_path=tmp_path, num_samples=4,
             loggers=[logger])
    )  # fmt: skip
    assert [trial.state for trial in results] == ["COMPLETED"] * 4
    assert set(failures(logger)) == {"error"}
    launched = [event.body["attempt"] for event in logger.events if event.kind == "launched"]
    assert sorted(left) == sorted(launched), "every attempt has run its `finally`"
    for trial in results:
        assert [row["training_iteration"] for row in trial.history] == list(range(1, 9))
    known = {event.body["path"] for event in logger.events if event.kind == "checkpoint"}
    assert {str(path) for path in Path(results.path).glob("trials/*/checkpoints/*")} == known


def test_a_trial_that_loses_its_worker_three_times_at_one_step_is_given_up(simulate):
    told = simulate(
        Curve(lambda config, step: {"loss": 0.0}, steps=3), told={"num_samples": 5}, seconds=100, preemptions=0.5
    )
    assert [trial.state for trial in told.results] == ["FAILED"] * 5
    assert "preempted" in told.results[0].error
    assert len(struck(told)) == 15
