from __future__ import annotations

import math
import random

import pytest

from microtune import Objective, OptionError
from microtune_schedule_asha import ASHA

# --- both variants ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_a_trial_is_stopped_at_max_t_and_counted_there(course, type):
    c = course(max_t=9, reduction_factor=3, type=type)
    trial = c.start()
    for rung in (1, 3):
        if c.report(trial, rung, 0.5) == "pause":
            c.resume(trial)
    assert c.report(trial, 9, 0.5) == "stop"
    assert c.asha._brackets[0][-1].losses == [0.5]
    assert c.asha._brackets[0][-1].waiting == []


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_max_t_ends_a_trial_even_between_rungs_and_without_its_metric(course, type):
    c = course(max_t=100, type=type)
    trial = c.start()
    assert c.report(trial, 100, accuracy=1.0) == "stop"


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_no_trial_is_judged_before_the_grace_period_or_between_rungs(course, type):
    c = course(max_t=100, grace_period=10, type=type)
    good, bad = c.start(), c.start()
    for t in range(1, 10):
        assert c.report(good, t, 0.0) == c.report(bad, t, 1.0) == "continue"
    c.report(good, 10, 0.0)
    assert c.report(bad, 10, 1.0) != "continue"
    if type == "stopping":
        assert [c.report(good, t, 9.0) for t in range(11, 40)] == ["continue"] * 29


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_a_trial_that_jumps_over_rungs_is_judged_at_the_lowest_not_yet_judged(course, type):
    c = course(max_t=1000, reduction_factor=4, type=type)
    jumper = c.start()
    for t in (30, 60, 70, 80, 90):
        if c.report(jumper, t, t / 100) == "pause":
            c.resume(jumper)
    recorded = {rung.level: rung.losses for rung in c.asha._brackets[0]}
    assert recorded == {1: [0.3], 4: [0.6], 16: [0.7], 64: [0.8], 256: []}


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_a_result_without_the_metric_is_not_judged_but_the_next_one_is(course, type):
    c = course(max_t=100, type=type)
    trial = c.start()
    assert c.report(trial, 1, accuracy=1.0) == "continue"
    c.report(trial, 2, 0.5)
    assert c.asha._brackets[0][0].losses == [0.5]


@pytest.mark.parametrize("type", ["stopping", "promotion"])
@pytest.mark.parametrize("time", [None, "late", [3]])
def test_a_result_without_a_time_is_not_judged(course, type, time):
    c = course(max_t=4, type=type, time_attr="epoch")
    trial = c.start()
    assert c.report(trial, 100, 0.5, epoch=time) == "continue"
    assert c.report(trial, 101, 0.5, epoch=4) == "stop"


def test_training_may_be_measured_in_seconds(course):
    c = course(max_t=3600, grace_period=60, time_attr="time_total_s")
    good, bad = c.start(), c.start()
    assert c.report(good, 60.5, 0.1) == "continue"
    assert c.report(bad, 59.9, 0.9) == "continue"
    assert c.report(bad, 61.2, 0.9) == "stop"
    assert c.report(good, 3600.1, 0.1) == "stop"


@pytest.mark.parametrize("type", ["stopping", "promotion"])
def test_min_and_max_are_mirror_images(course, type):
    def decisions(mode: str, sign: int) -> list[str]:
        c = course(Objective("loss", mode), max_t=16, type=type)
        rng = random.Random(1)
        return [c.report(c.start(), 1, sign * rng.random()) for _ in range(50)]

    assert decisions("min", 1) == decisions("max", -1)


def test_several_objectives_are_refused(course):
    with pytest.raises(OptionError, match="asha"):
        course(Objective(["loss", "size"], ["min", "min"]))


@pytest.mark.parametrize(
    "options",
    [
        {"grace_period": 0},
        {"grace_period": 10, "max_t": 9},
        {"reduction_factor": 1},
        {"brackets": 0},
        {"max_t": 100, "brackets": 5},
        {"type": "stoping"},
    ],
)
def test_a_wrong_option_is_named(options):
    with pytest.raises(OptionError, match=list(options)[-1]):
        ASHA(**options)


# --- stopping --------------------------------------------------------------------------------------------------------


def test_the_first_to_arrive_goes_on_and_so_do_its_equals(course):
    c = course()
    assert [c.report(c.start(), 1, 0.5) for _ in range(10)] == ["continue"] * 10


def test_about_one_in_the_factor_goes_on_whatever_the_order(course):
    for seed in range(3):
        c = course(reduction_factor=4)
        rng = random.Random(seed)
        kept = sum(c.report(c.start(), 1, rng.random()) == "continue" for _ in range(4000))
        assert kept / 4000 == pytest.approx(1 / 4, abs=0.02)


def test_a_trial_goes_on_exactly_if_fewer_than_one_nth_of_its_rung_beat_it(course):
    c = course(reduction_factor=3)
    losses = [0.8, 0.9, 0.1, 0.5, 0.3, 0.2, 0.25, 0.05, 0.4]
    for n, loss in enumerate(losses, 1):
        better = sum(other < loss for other in losses[:n])
        assert c.report(c.start(), 1, loss) == ("continue" if better < max(1, n // 3) else "stop")


def test_nan_is_worst_wherever_it_is_among_numbers(course):
    c = course(reduction_factor=2)
    assert c.report(c.start(), 1, 5.0) == "continue"
    assert c.report(c.start(), 1, math.nan) == "stop"
    assert c.report(c.start(), 1, 4.0) == "continue"
    assert c.report(c.start(), 1, math.inf) == "stop"
    assert c.report(c.start(), 1, -math.inf) == "stop"


def test_a_rung_full_of_nan_lets_the_first_number_pass(course):
    c = course()
    for _ in range(20):
        c.report(c.start(), 1, math.nan)
    assert c.report(c.start(), 1, 1e9) == "continue"


# --- promotion -------------------------------------------------------------------------------------------------------


def run_one_worker(c, losses):
    """Start trials while nobody can be promoted; returns the jobs as (trial number, rung) in their order."""
    jobs = []
    left = iter(range(len(losses)))
    while True:
        trial = c.promote()
        if trial is None:
            number = next(left, None)
            if number is None:
                return jobs
            trial = c.start()
        rung = c.asha._standings[trial].next
        jobs.append((int(trial), rung))
        c.report(trial, 3**rung, losses[int(trial)][rung])


def test_one_worker_does_the_jobs_of_the_papers_example_in_its_order(course):
    # Li et al. 2020, section 3.2: bracket 0 of Table 1 (n = 9, r = 1, R = 9, factor 3); configurations 1, 6 and 8 are the
    # best of the lowest rung, and 8 is the best of the next one.
    first = {1: 0.10, 6: 0.11, 8: 0.12}
    losses = [[first.get(one, 0.5 + one / 100), 0.05 if one == 8 else 0.09, 0.01] for one in range(1, 10)]
    jobs = run_one_worker(course(max_t=9, reduction_factor=3, type="promotion"), losses)
    assert [(number + 1, rung) for number, rung in jobs] == [
        (1, 0), (2, 0), (3, 0), (1, 1),
        (4, 0), (5, 0), (6, 0), (6, 1),
        (7, 0), (8, 0), (9, 0), (8, 1),
        (8, 2),
    ]  # fmt: skip


def successive_halving(losses, factor=3, rungs=4):
    """The survivors that the synchronous algorithm takes to each rung."""
    rounds = [set(range(len(losses)))]
    for rung in range(rungs - 1):
        ranked = sorted(rounds[-1], key=lambda number: (losses[number][rung], number))
        rounds.append(set(ranked[: len(ranked) // factor]))
    return rounds


def test_one_worker_promotes_whom_successive_halving_keeps_when_the_best_come_first(course):
    losses = [[float(number)] * 4 for number in range(27)]
    jobs = run_one_worker(course(max_t=27, reduction_factor=3, type="promotion"), losses)
    assert [{n for n, rung in jobs if rung == k} for k in range(4)] == successive_halving(losses)


@pytest.mark.parametrize("seed", range(5))
def test_one_worker_promotes_at_least_whom_successive_halving_keeps_in_any_order(course, seed):
    rng = random.Random(seed)
    losses = [[rng.random()] * 4 for _ in range(81)]
    jobs = run_one_worker(course(max_t=27, reduction_factor=3, type="promotion"), losses)
    promoted = [{n for n, rung in jobs if rung == k} for k in range(4)]
    for mine, kept in zip(promoted, successive_halving(losses), strict=True):
        assert kept <= mine
    # A promotion that later arrivals put in the wrong is what asynchrony costs: of the order of sqrt(n), section 3.2.
    assert len(promoted[1]) - 27 <= 2 * math.sqrt(81)


def test_the_highest_rung_is_promoted_first(course):
    c = course(max_t=100, reduction_factor=2, type="promotion")
    losses = {}
    for n in range(4):
        losses[c.start()] = n
    for trial, loss in losses.items():
        assert c.report(trial, 1, loss) == "pause"
    first, second = c.promote(), c.promote()
    assert (first, second, c.promote()) == ("00000", "00001", None)
    c.report(first, 2, 0.0)
    c.report(second, 2, 1.0)
    for loss in (-1.0, -2.0):  # more for the lowest rung, which must wait for the one above it
        c.report(c.start(), 1, loss)
    assert c.promote() == first
    assert c.promote() == "00005"


def test_nobody_is_promoted_twice_from_a_rung_and_equals_go_in_the_order_of_arrival(course):
    c = course(max_t=100, reduction_factor=4, type="promotion")
    for _ in range(16):
        c.report(c.start(), 1, 0.5)
    assert [c.promote() for _ in range(5)] == ["00000", "00001", "00002", "00003", None]


def test_nan_is_promoted_last(course):
    c = course(max_t=100, reduction_factor=2, type="promotion")
    for loss in (math.nan, math.nan, math.nan, 1e300, math.inf, 7.0):
        c.report(c.start(), 1, loss)
    assert [c.promote(), c.promote(), c.promote(), c.promote()] == ["00005", "00003", "00000", None]


@pytest.mark.parametrize("state", ["COMPLETED", "STOPPED", "FAILED"])
def test_a_trial_that_is_over_is_not_promoted_and_keeps_its_place(course, state):
    c = course(max_t=100, reduction_factor=2, type="promotion")
    for loss in (1.0, 2.0, 3.0, 4.0):
        c.report(c.start(), 1, loss)
    c.end("00000", state)
    assert [c.promote(), c.promote()] == ["00001", None]


def test_a_trial_that_was_never_paused_does_not_wait(course):
    c = course(max_t=100, reduction_factor=2, type="promotion")
    c.report(c.start(), 1, 2.0)
    interrupted = c.start()
    c.tell(interrupted, 1, 1.0)  # the run ended first
    assert c.promote() is None
    assert c.report(interrupted, 2, 0.5) == "pause"


def test_the_stopping_variant_suggests_nothing(course):
    c = course(reduction_factor=2)
    for loss in (1.0, 2.0, 3.0, 4.0):
        c.report(c.start(), 1, loss)
    assert c.promote() is None


# --- brackets --------------------------------------------------------------------------------------------------------


def test_a_later_bracket_leaves_out_the_lowest_rungs(course):
    c = course(max_t=81, reduction_factor=3, brackets=3)
    tables = [[rung.level for rung in bracket] for bracket in c.asha._brackets]
    assert tables == [[1, 3, 9, 27, 81], [3, 9, 27, 81], [9, 27, 81]]


def test_trials_are_dealt_to_brackets_in_proportion_to_hyperbands_numbers(course):
    c = course(max_t=81, reduction_factor=3, brackets=5)
    dealt = [0] * 5
    for _ in range(4000):
        dealt[c.asha._brackets.index(c.asha._standings[c.start()].rungs)] += 1
    assert dealt == [pytest.approx(4000 * n / 143, abs=80) for n in (81, 34, 15, 8, 5)]


def test_the_bracket_of_a_trial_follows_from_the_runs_seed_and_its_number(course):
    def dealt(seed: int) -> list[int]:
        c = course(seed=seed, max_t=81, reduction_factor=3, brackets=5)
        return [len(c.asha._standings[c.start()].rungs) for _ in range(100)]

    assert dealt(1) == dealt(1) != dealt(2)


def test_trials_of_different_brackets_are_never_compared(course):
    c = course(max_t=81, reduction_factor=3, brackets=2)
    for n in range(60):
        trial = c.start()
        for t in (1, 2, 3):
            if c.report(trial, t, n) == "stop":
                break
    low, high = c.asha._brackets
    assert len(low[0].losses) + len(high[0].losses) == 60
    assert len(high[0].losses) > 5


# --- replay ----------------------------------------------------------------------------------------------------------


def snapshot(asha: ASHA):
    rungs = [[(rung.level, rung.losses, rung.waiting) for rung in bracket] for bracket in asha._brackets]
    standings = {
        trial: (len(standing.rungs), standing.next, standing.entry, standing.decision)
        for trial, standing in asha._standings.items()
    }
    return rungs, standings


@pytest.mark.parametrize("type", ["stopping", "promotion"])
@pytest.mark.parametrize("brackets", [1, 3])
def test_the_tells_alone_rebuild_everything(course, type, brackets):
    c = course(max_t=27, reduction_factor=3, type=type, brackets=brackets)
    rng = random.Random(7)
    running: list[list] = []
    for _ in range(600):
        while len(running) < 4:
            resumed = c.promote()
            running.append([resumed or c.start(), c.trials[resumed].iteration if resumed else 0])
        one = rng.choice(running)
        one[1] += 1
        if c.report(one[0], one[1], rng.choice([rng.random(), math.nan])) != "continue":
            running.remove(one)
        elif rng.random() < 0.02:
            c.end(one[0], rng.choice(["COMPLETED", "FAILED"]))
            running.remove(one)
        if rng.random() < 0.05:
            assert c.replayed().suggest() == c.asha.suggest()
    assert snapshot(c.replayed()) == snapshot(c.asha)


def test_a_trial_that_is_over_leaves_only_its_losses(course):
    c = course(max_t=4)
    for n in range(100):
        trial = c.start()
        for t in range(1, 5):
            if c.report(trial, t, n) == "stop":
                break
        else:
            c.end(trial)
    assert c.asha._standings == {}
