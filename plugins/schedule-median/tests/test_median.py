from __future__ import annotations

import math
import random
import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtune import Objective, OptionError
from microtune_schedule_median import Median

# --- the rule --------------------------------------------------------------------------------------------------------


@pytest.fixture
def example(jury):
    """Running averages 4, 6, 9 at step 1, with median 6, and 3, 4, 5 at step 2, with median 4."""
    j = jury()
    for losses in ((4, 2), (6, 2), (9, 1)):
        j.curve(*losses)
    return j


def test_a_trial_is_stopped_where_its_best_is_strictly_worse_than_the_median_of_the_running_averages(example):
    trial = example.start()
    assert not example.report(trial, 1, 6)
    assert example.report(trial, 2, 5)


def test_its_best_counts_and_not_its_latest(example):
    trial = example.start()
    assert not example.report(trial, 1, 4)
    assert not example.report(trial, 2, 100)


def test_equal_to_the_median_is_not_worse(example):
    trial = example.start()
    assert not example.report(trial, 1, 6)
    assert not example.report(trial, 2, 4)


def test_of_an_even_number_the_median_is_the_mean_of_the_two_in_the_middle(jury):
    for loss, stopped in ((5, False), (5.1, True)):
        j = jury()
        for other in (1, 8, 4, 6):
            j.curve(other)
        assert j.report(j.start(), 1, loss) is stopped


def test_only_trials_that_got_to_the_step_are_compared_with(example):
    trial = example.start()
    example.report(trial, 2, 4)
    assert not example.report(trial, 3, 1000)
    example.end(trial)
    assert not example.report(example.start(), 3, 2000)  # one has got there, of three that it takes


def test_running_averages_begin_with_the_first_result_and_not_after_the_grace_period(jury):
    j = jury(grace_period=3)
    for _ in range(3):
        j.curve(1, 1, 7)  # 3 on average; 7 without the first two
    trial = j.start()
    assert [j.report(trial, t, 5) for t in (1, 2)] == [False, False]
    assert j.report(trial, 3, 5)


@pytest.mark.parametrize("required", [1, 2, 5])
def test_so_many_samples_are_required(jury, required):
    j = jury(min_samples_required=required)
    stopped = []
    for loss in range(required + 1):  # one worse than the other
        stopped.append(j.report(trial := j.start(), 1, loss))
        if not stopped[-1]:
            j.end(trial)
    assert stopped == [False] * required + [True]


@pytest.mark.parametrize("state", ["COMPLETED", "STOPPED", "FAILED"])
def test_a_trial_that_is_over_in_any_way_is_a_completed_one(jury, state):
    j = jury()
    for _ in range(3):
        j.curve(1, state=state)
    assert j.report(j.start(), 1, 2)


@pytest.mark.parametrize(("compare_to", "stopped"), [("completed", False), ("all", True)])
def test_running_trials_are_compared_with_only_if_you_choose_so(jury, compare_to, stopped):
    j = jury(compare_to=compare_to)
    for _ in range(3):
        j.report(j.start(), 1, 1)
    assert j.report(j.start(), 1, 2) is stopped


def test_a_trial_is_not_compared_with_itself(jury):
    j = jury(compare_to="all", min_samples_required=1)
    trial = j.start()
    assert [j.report(trial, t, t) for t in range(1, 10)] == [False] * 9


def test_a_stop_that_did_not_come_into_force_is_forgotten_at_the_next_result(example):
    trial = example.start()
    example.tell(trial, 1, 7)  # the run ended at this report, and was resumed
    assert not example.report(trial, 2, 4)


def test_a_trial_that_another_scheduler_had_paused_keeps_its_history(example):
    trial = example.start()
    assert not example.report(trial, 1, 3)
    example.resume(trial)
    assert not example.report(trial, 2, 100)


def test_min_and_max_are_mirror_images(jury):
    def stopped(mode: str, sign: int) -> list[str]:
        j, rng = jury(Objective("loss", mode)), random.Random(1)
        for _ in range(50):
            j.curve(*(sign * rng.random() for _ in range(5)))
        return [trial.id for trial in j.trials.values() if trial.state == "STOPPED"]

    assert stopped("min", 1) == stopped("max", -1) != []


def test_the_reason_says_with_how_many_it_was_compared_and_when(example):
    trial = example.start()
    assert example.report(trial, 1, 7)
    assert example.trials[trial].reason == "its best is worse than the median of 3 trials at training_iteration 1"


# --- numbers that are none, and rounding -----------------------------------------------------------------------------


def test_nan_is_worst_for_the_trial_and_in_the_averages_of_others(jury):
    j = jury()
    for losses in ((1, 1), (2, math.nan), (3, 3)):
        j.curve(*losses)
    trial = j.start()
    assert not j.report(trial, 1, 2)
    assert not j.report(trial, 2, 3)  # averages 1, 3 and the worst: the median is 3
    assert j.report(j.start(), 1, math.nan)


def test_where_half_of_the_trials_diverged_one_that_has_a_number_goes_on(jury):
    j = jury()
    for loss in (math.nan, math.inf, 1, 2):
        j.curve(loss)
    assert not j.report(j.start(), 1, 1e300)


def test_a_tie_is_not_decided_by_rounding(jury):
    j = jury()
    for _ in range(3):
        j.curve(0, 3, 4, 1)  # 2 on average, 1.9999999999999998 in floating point
    assert not j.report(j.start(), 4, 2)


def test_trials_that_never_change_are_not_stopped_by_rounding(jury):
    j = jury()
    for _ in range(10):
        assert j.trials[j.curve(*[0.1] * 100)].state == "COMPLETED"


def test_numbers_next_to_the_largest_do_not_overflow(jury):
    j = jury()
    for _ in range(4):
        j.curve(1.7e308, -1.7e308, 1.7e308, 1.7e308)
    assert not j.report(j.start(), 1, 1.7e308)
    trial = j.start()
    assert not j.report(trial, 4, 8e307)  # their average is 1.7e308 / 2
    assert j.report(j.start(), 4, 9e307)


# --- what time is measured in ----------------------------------------------------------------------------------------


def test_an_interval_makes_a_step_of_several_results_and_the_first_of_them_is_judged(jury):
    j = jury(interval=10, time_attr="seconds")
    for _ in range(3):
        trial = j.start()
        for seconds, loss in ((1, 9), (11, 1), (19, 100), (21, 1)):
            j.report(trial, seconds, loss, seconds=seconds)
        j.end(trial)
    trial = j.start()
    assert not j.report(trial, 2, 9, seconds=2)
    assert not j.report(trial, 13, 5, seconds=13)  # (9 + 1) / 2
    assert not j.report(trial, 14, 200, seconds=14)
    assert not j.report(trial, 29.9, 9, seconds=29.9)
    j.end(trial)
    trial = j.start()
    assert j.report(trial, 13, 5.1, seconds=13)


def test_a_step_that_a_trial_leaves_out_has_the_average_of_those_before_it(jury):
    j = jury()
    for _ in range(3):
        trial = j.start()
        for t, loss in ((1, 3), (2, 5), (7, 100)):
            j.report(trial, t, loss)
        j.end(trial)
    assert not j.report(j.start(), 6, 4)
    assert j.report(j.start(), 6, 4.1)


def test_a_trial_that_begins_late_has_no_average_before(jury):
    j = jury()
    for _ in range(3):
        j.report(trial := j.start(), 5, 1)  # a retry from another trial's checkpoint
        j.end(trial)
    assert not j.report(j.start(), 4, 100)
    assert j.report(j.start(), 5, 100)


@pytest.mark.parametrize("time", [None, "late", math.nan, math.inf])
def test_a_result_without_a_time_or_a_metric_does_not_count(jury, time):
    j = jury(time_attr="epoch")
    for _ in range(3):
        j.report(trial := j.start(), 1, 1, epoch=1)
        j.end(trial)
    trial = j.start()
    assert not j.report(trial, 1, 100, epoch=time)
    assert not j.report(trial, 1, epoch=1)
    assert not j.report(trial, 2, 1, epoch=1)


def test_a_time_that_goes_back_is_not_judged(jury):
    j = jury()
    for _ in range(3):
        j.curve(1, 9)
    trial = j.start()
    assert not j.report(trial, 2, 5)
    assert not j.report(trial, 1, 5)


def test_a_trial_is_judged_once_in_a_step_whoever_ends_meanwhile(jury):
    j = jury(interval=10)
    trial = j.start()
    assert not j.report(trial, 11, 5)
    for _ in range(3):
        j.report(other := j.start(), 11, 1)
        j.end(other)
    assert not j.report(trial, 12, 5)
    assert j.report(j.start(), 12, 5)


def test_an_interval_that_is_far_too_small_is_named(jury):
    j = jury(time_attr="tokens")
    trial = j.start()
    assert not j.report(trial, 1, 0.5, tokens=10**9)
    with pytest.raises(OptionError, match="interval="):
        j.report(trial, 2, 0.5, tokens=2 * 10**9)


# --- against a model ------------------------------------------------------------------------------------------------


def should_stop(me, others, step, required):
    """The paper's rule in fractions, from whole histories of (step, loss)."""
    averages = []
    for history in others:
        seen = [loss for at, loss in history if at <= step]
        if seen and history[-1][0] >= step:
            averages.append(Fraction(sum(seen), len(seen)))
    return len(averages) >= required and min(loss for _, loss in me) > statistics.median(averages)


@settings(max_examples=150, deadline=None, database=None)
@given(
    seed=st.integers(0, 2**32),
    compare_to=st.sampled_from(["completed", "all"]),
    required=st.integers(1, 4),
    grace_period=st.integers(1, 6),
    jumps=st.sampled_from([[1], [1, 1, 2, 4]]),
    losses=st.sampled_from([2, 10, 1000]),
)
def test_every_decision_is_that_of_a_model_that_keeps_everything(
    jury, seed, compare_to, required, grace_period, jumps, losses
):
    rng = random.Random(seed)
    j = jury(compare_to=compare_to, min_samples_required=required, grace_period=grace_period)
    histories: dict[str, list[tuple[int, int]]] = {}
    for _ in range(150):
        running = [trial for trial in histories if j.trials[trial].state == "RUNNING"]
        if len(running) < 4:
            histories[j.start()] = []
            continue
        trial = rng.choice(running)
        mine = histories[trial]
        mine.append(((mine[-1][0] if mine else 0) + rng.choice(jumps), rng.randrange(losses)))
        step = mine[-1][0]
        others = [
            history for other, history in histories.items()
            if other != trial and history and (compare_to == "all" or j.trials[other].state != "RUNNING")
        ]  # fmt: skip
        expected = step >= grace_period and should_stop(mine, others, step, required)
        assert j.report(trial, step, mine[-1][1]) is expected
        if not expected and rng.random() < 0.1:
            j.end(trial)


# --- replay ----------------------------------------------------------------------------------------------------------


def snapshot(median):
    curves = {trial: (curve.first, curve.averages, curve.best) for trial, curve in median._curves.items()}
    return curves, median._field._averages, median._decisions


@pytest.mark.parametrize("compare_to", ["completed", "all"])
def test_the_tells_alone_rebuild_everything(jury, compare_to):
    j, rng = jury(compare_to=compare_to), random.Random(3)
    running: dict[str, int] = {}
    for _ in range(600):
        while len(running) < 4:
            running[j.start()] = 0
        trial = rng.choice(list(running))
        running[trial] += 1
        if j.report(trial, running[trial], rng.choice([rng.random(), math.nan])):
            del running[trial]
        elif rng.random() < 0.1:
            j.end(trial)
            del running[trial]
        if rng.random() < 0.1:
            assert snapshot(j.replayed()) == snapshot(j.median)


def test_a_trial_that_is_over_leaves_only_its_averages(jury):
    j = jury()
    for _ in range(10):
        j.curve(1, 2, 3)
    assert j.median._curves == {}
    assert {step: len(averages) for step, averages in j.median._field._averages.items()} == {1: 10, 2: 10, 3: 10}


# --- options ---------------------------------------------------------------------------------------------------------


def test_several_objectives_are_refused(jury):
    with pytest.raises(OptionError, match="median"):
        jury(Objective(["loss", "size"], ["min", "min"]))


@pytest.mark.parametrize(
    "options",
    [
        {"grace_period": -1},
        {"grace_period": 0},
        {"grace_period": math.nan},
        {"min_samples_required": 0},
        {"compare_to": "running"},
        {"interval": 0},
        {"interval": math.inf},
    ],
)
def test_a_wrong_option_is_named(options):
    with pytest.raises(OptionError, match=list(options)[-1]):
        Median(**options)
