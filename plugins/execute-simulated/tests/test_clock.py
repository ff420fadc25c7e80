from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics

import pytest

import microtune as mt
from microtune.testing import FakeScheduler, FakeSearcher
from microtune_execute_simulated import Curve, SimulatedExecutor

FLAT = Curve(lambda config, step: {"loss": 0.0}, steps=3)


def given(*configs):
    return {"searcher": FakeSearcher(configs=configs), "num_samples": len(configs)}


# --- what happens when -----------------------------------------------------------------------------------------------


def test_trials_of_two_workers_report_at_the_times_worked_out_by_hand(simulate):
    # A step takes x seconds: trial 0 on the first worker, trial 1 on the second, trial 2 where trial 1 was.
    told = simulate(
        FLAT,
        told=given({"x": 0.5}, {"x": 0.25}, {"x": 1.0}),
        workers=2,
        seconds=lambda config, iteration, metrics: config["x"],
    )
    assert told.times("result", "00000") == [0.5, 1.0, 1.5]
    assert told.times("result", "00001") == [0.25, 0.5, 0.75]
    assert told.times("launched", "00002") == [0.75]
    assert told.times("result", "00002") == [1.75, 2.75, 3.75]
    assert [trial.metrics["time_total_s"] for trial in told.results] == [1.5, 0.75, 3.0]


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_every_report_comes_when_a_model_of_the_workers_says(simulate, workers):
    """List scheduling, written independently: a free worker takes the next trial; steps are random, some trials are stopped."""
    draw = random.Random(workers)
    lengths = [[draw.choice([1.0, 2.0, 2.5, 4.0]) for _ in range(draw.randint(1, 6))] for _ in range(25)]

    def recorded(config, step):
        lengths_of = lengths[config["trial"]]
        return {"loss": 0.0, "took": lengths_of[step - 1]} if step <= len(lengths_of) else None

    told = simulate(
        Curve(recorded),
        told={**given(*({"trial": n} for n in range(25))), "param_space": {"trial": mt.randint(0, 25)},
              "stop": {"training_iteration": 4}},
        workers=workers, seconds="took",
    )  # fmt: skip
    free = [0.0] * workers
    for number, steps in enumerate(lengths):
        at = heapq.heappop(free)
        assert told.times("launched", f"{number:05d}") == [at]
        expected = []
        for seconds in steps[:4]:
            at += seconds
            expected.append(at)
        assert told.times("result", f"{number:05d}") == expected
        heapq.heappush(free, at)
    ats = [event.at for event in told.events]
    assert ats == sorted(ats)


def test_what_is_due_at_the_same_moment_comes_in_the_order_of_the_trials_numbers(simulate):
    # Trial 2 starts last, and half a second later all three are due: 0 after six steps, 1 after two, 2 after one.
    seconds = {0.1: 0.25, 0.2: 0.75, 0.3: 0.5, 0.4: 1.0}
    told = simulate(
        Curve(lambda config, step: {"loss": 0.0}, steps=6),
        told={**given({"x": 0.1}, {"x": 0.2}, {"x": 0.4}, {"x": 0.3}),
              "scheduler": FakeScheduler(decide=lambda trial, result: mt.Stop("one") if trial.number == 2 else None)},
        workers=3, seconds=lambda config, iteration, metrics: seconds[config["x"]],
    )  # fmt: skip
    assert [event.trial for event in told.of("result") if event.at == 1.5] == ["00000", "00001", "00003"]


def test_a_report_is_decided_and_its_slot_filled_before_the_next_of_the_same_moment(simulate):
    stops = FakeScheduler(decide=lambda trial, result: mt.Stop("one is enough"))
    told = simulate(FLAT, told={"scheduler": stops, "num_samples": 4}, workers=2)
    order = [
        (event.kind, event.trial) for event in told.events if event.kind in ("result", "launched") and event.at == 1.0
    ]
    assert order == [("result", "00000"), ("launched", "00002"), ("result", "00001"), ("launched", "00003")]


def test_a_stopped_trial_leaves_at_once_and_its_worker_is_free(simulate):
    told = simulate(FLAT, told={"stop": {"training_iteration": 2}}, seconds=10)
    assert told.times("ended") == [20.0, 40.0, 60.0]
    assert told.times("launched") == [0.0, 20.0, 40.0]


def test_a_returned_value_is_a_step_and_coming_to_an_end_takes_no_time(simulate):
    def train(config):
        mt.report(loss=1.0)
        if config["x"] > 0.5:
            return {"loss": 2.0}
        return None

    told = simulate(train, told=given({"x": 0.9}, {"x": 0.1}), seconds=3)
    assert told.times("result", "00000") == [3.0, 6.0]
    assert told.times("ended") == [6.0, 9.0]


# --- what things cost ------------------------------------------------------------------------------------------------


def test_a_launch_and_a_restored_checkpoint_take_their_time(simulate, halving):
    # 0 pauses at 1, 1 pauses at 1 and stays below: the first is resumed. Steps take 1 s.
    told = simulate(
        Curve(lambda config, step: {"loss": config["x"]}, steps=2),
        told={**given({"x": 0.2}, {"x": 0.4}), "scheduler": halving(1)}, startup=10, saving=5, restoring=100,
    )  # fmt: skip
    assert told.times("result", "00000")[0] == 11
    # Its pause is decided at 11; its worker writes the checkpoint until 16, and only then is there one for trial 1.
    assert told.times("launched", "00001") == [11]
    assert told.times("result", "00001") == [16 + 10 + 1]
    # Trial 0 is resumed at 27, when the only worker still writes the checkpoint of trial 1, until 32.
    assert told.times("resumed") == [27]
    assert told.times("result", "00000")[1] == 32 + 10 + 100 + 1
    assert told.times("checkpoint") == [16, 32]


def test_a_trial_that_has_reported_a_checkpoint_leaves_at_once_when_it_is_paused(simulate, halving):
    told = simulate(
        Curve(lambda config, step: {"loss": config["x"]}, steps=2),
        told={**given({"x": 0.2}, {"x": 0.4}), "scheduler": halving(1), "checkpoints": {"every": 1}}, saving=5,
    )  # fmt: skip
    assert told.times("result", "00000")[0] == 6
    assert told.times("result", "00001") == [6 + 6]
    assert told.times("result", "00000")[1] == 12 + 6


def test_a_reported_checkpoint_takes_its_step_longer(simulate):
    told = simulate(FLAT, told={"checkpoints": {"every": 2}, "num_samples": 1}, saving=0.5)
    assert told.times("result") == [1.0, 2.5, 3.5]


@pytest.mark.parametrize("domain", [mt.uniform(1, 3), mt.loguniform(1, 10), mt.randint(1, 9), mt.randn(5, 1)])
def test_seconds_may_be_drawn_and_belong_to_the_trial_and_its_step(simulate, domain):
    taken = []
    for workers in (1, 4):
        told = simulate(FLAT, told={"num_samples": 6}, workers=workers, seconds=domain)
        taken.append([_gaps(told, f"{n:05d}") for n in range(6)])
    for one, other in zip(*taken, strict=True):
        assert one == pytest.approx(other)
    drawn = [seconds for trial in taken[0] for seconds in trial]
    assert len({round(seconds, 9) for seconds in drawn}) > 4
    if not isinstance(domain, mt.Normal):
        assert all(1 - 1e-9 <= seconds <= 10 for seconds in drawn)


def _gaps(told, trial):
    times = [told.times("launched", trial)[0], *told.times("result", trial)]
    return [after - before for before, after in itertools.pairwise(times)]


def test_stragglers_take_one_plus_the_absolute_value_of_a_normal_as_long(simulate):
    told = simulate(FLAT, told={"num_samples": 2000}, workers=50, stragglers=0.8)
    factors = []
    for trial in told.results.histories().values():
        one, two, three = (row["time_total_s"] / row["training_iteration"] for row in trial)
        assert one == pytest.approx(two) == pytest.approx(three), "all steps of an attempt are equally slow"
        factors.append(one)
    assert min(factors) >= 1 - 1e-9
    mean, deviation = 1 + 0.8 * math.sqrt(2 / math.pi), 0.8 * math.sqrt(1 - 2 / math.pi)
    assert statistics.mean(factors) == pytest.approx(mean, abs=5 * deviation / math.sqrt(2000))
    assert statistics.stdev(factors) == pytest.approx(deviation, rel=0.1)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"workers": 0}, "workers=0"),
        ({"seconds": 0}, "time must pass"),
        ({"seconds": -1.0}, "time must pass"),
        ({"seconds": True}, "seconds=True"),
        ({"seconds": None}, "a distribution"),
        ({"startup": -1}, "startup=-1"),
        ({"saving": math.inf}, "saving=inf"),
        ({"crashes": math.nan}, "crashes=nan"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, word):
    with pytest.raises(mt.OptionError, match=word):
        SimulatedExecutor(**options)


def test_it_is_chosen_and_given_options_as_text(make):
    run = make(FLAT, "simulated:workers=7,seconds=2.5,startup=1").open()
    run.close()
    assert run.facts.capacity == {"cpu": 7.0}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ("took", ["'took'", "trial 00000", r"\['loss'\]"]),
        (lambda config, iteration, metrics: -1.0, ["iteration 1", "trial 00000", "-1.0"]),
        (lambda config, iteration, metrics: "long", ["'long'"]),
        (lambda config, iteration, metrics: math.nan, ["nan"]),
    ],
    ids=["missing", "negative", "text", "nan"],
)
def test_a_step_whose_seconds_cannot_be_told_stops_the_run_and_says_why(simulate, seconds, words):
    for word in words:
        with pytest.raises(mt.PluginError, match=word):
            simulate(FLAT, seconds=seconds)
