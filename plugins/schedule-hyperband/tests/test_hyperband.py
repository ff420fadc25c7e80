from __future__ import annotations

import math
import random

import pytest

from microtune import Objective, OptionError
from microtune_schedule_hyperband import HyperBand

NINE = {"max_t": 9, "reduction_factor": 3}  # brackets of 9 trials at 1, 3, 9; of 5 at 3, 9; of 3 at 9


def full_bracket(r, losses):
    trials = [r.start() for _ in losses]
    for trial, loss in zip(trials, losses, strict=True):
        assert r.report(trial, 1, loss) == "pause"
    return trials


# --- a bracket without accidents -------------------------------------------------------------------------------------


def test_a_bracket_halves_as_algorithm_1_does(race):
    r = race(**NINE)
    trials = full_bracket(r, [0.5, 0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.6, 0.4])
    resumed, stopped = r.fill()
    assert resumed == [trials[1], trials[5], trials[3]]  # the best floor(9 / 3), the best first
    assert sorted(stopped) == sorted(set(trials) - set(resumed))
    for trial, loss in zip(resumed, (0.3, 0.2, 0.1), strict=True):
        assert r.report(trial, 2, loss) == "continue"
        assert r.report(trial, 3, loss) == "pause"
    assert r.fill() == ([trials[3]], [trials[5], trials[1]])  # the best 1 by what they report now; the others end
    assert [r.report(trials[3], t, 0.0) for t in range(4, 10)] == ["continue"] * 5 + ["stop"]
    assert r.hyperband._members == {}


def test_nobody_goes_on_before_the_last_one_has_come(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    for trial in trials[:8]:
        r.report(trial, 1, 0.5)
        assert r.fill() == ([], [])
    r.report(trials[8], 1, 0.1)
    assert r.fill()[0] == [trials[8], trials[0], trials[1]]


def test_losers_are_stopped_before_winners_take_the_free_slots_and_are_told_why(race):
    r = race(**NINE)
    trials = full_bracket(r, range(9))
    answer = r.hyperband.suggest(run=r.run)
    assert (answer.trial_id, answer.reason) == (trials[3], "not among the best at rung 1 of bracket 0")


def test_brackets_are_dealt_in_the_order_of_creation_the_most_aggressive_first_and_round_again(race):
    r = race(max_t=81)
    dealt = [r.hyperband._members[r.start()].bracket.number for _ in range(143 + 81 + 1)]
    assert [dealt.count(number) for number in range(7)] == [81, 34, 15, 8, 5, 81, 1]
    assert dealt == sorted(dealt)


def test_fewer_kinds_of_brackets_are_the_most_aggressive_ones(race):
    r = race(brackets=2, **NINE)
    rungs = [r.hyperband._members[r.start()].bracket.rung for _ in range(9 + 5 + 9)]
    assert rungs == [1] * 9 + [3] * 5 + [1] * 9


def test_the_next_bracket_is_filled_while_one_waits(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    for trial in trials[:8]:
        r.report(trial, 1, 0.5)
    assert r.fill() == ([], [])
    following = r.start()
    assert [r.report(following, t, 0.0) for t in (1, 2, 3)] == ["continue", "continue", "pause"]
    assert r.fill() == ([], [])
    r.report(trials[8], 1, 0.5)
    assert following not in r.fill()[0]


def test_the_older_bracket_goes_on_first(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(14)]
    for trial in trials[9:]:
        r.report(trial, 3, 0.0)
    for trial in trials[:9]:
        r.report(trial, 1, 1.0)
    assert r.fill()[0] == [*trials[:3], trials[9]]


def test_a_trial_is_stopped_at_max_t_in_any_round_and_without_its_metric(race):
    r = race(**NINE)
    assert r.report(r.start(), 9, 0.5) == "stop"
    assert r.report(r.start(), 100, accuracy=0.5) == "stop"


def test_no_trial_is_judged_before_the_grace_period(race):
    r = race(max_t=27, grace_period=3)
    trial = r.start()
    assert [r.report(trial, t, 0.0) for t in (1, 2, 3)] == ["continue", "continue", "pause"]


def test_a_trial_that_jumps_over_a_rung_is_judged_at_it(race):
    r = race(max_t=81)
    trials = [r.start() for _ in range(81)]
    for number, trial in enumerate(trials):
        assert r.report(trial, 30, number) == "pause"
    assert r.fill()[0] == trials[:27]
    assert r.report(trials[0], 31, 0.0) == "pause"  # at rung 3
    assert r.report(trials[1], 80, 0.0) == "pause"


@pytest.mark.parametrize("time", [None, "late", [3], math.nan])
def test_a_result_without_a_time_is_not_judged(race, time):
    r = race(time_attr="epoch", **NINE)
    assert r.report(r.start(), 100, 0.5, epoch=time) == "continue"


def test_training_may_be_measured_in_seconds(race):
    r = race(max_t=3600, grace_period=60, time_attr="time_total_s")
    trial = r.start()
    assert r.report(trial, 132, 0.1) == "continue"
    assert r.report(trial, 133.5, 0.1) == "pause"  # 3600 // 27


def test_a_result_without_the_metric_is_not_judged_but_the_next_one_is(race):
    r = race(**NINE)
    trial = r.start()
    assert [r.report(trial, 1, accuracy=1.0), r.report(trial, 2, 0.5)] == ["continue", "pause"]


def test_nan_and_infinity_rank_worst_and_the_older_of_equals_first(race):
    r = race(**NINE)
    trials = full_bracket(r, [math.nan, 5.0, math.inf, 4.0, -math.inf, 6.0, 1e300, 4.0, math.nan])
    assert r.fill()[0] == [trials[3], trials[7], trials[1]]


def test_min_and_max_are_mirror_images(race):
    def judged(mode: str, sign: int) -> tuple[list[str], list[str]]:
        r, rng = race(Objective("loss", mode), **NINE), random.Random(1)
        full_bracket(r, [sign * rng.random() for _ in range(9)])
        return r.fill()

    assert judged("min", 1) == judged("max", -1)


# --- trials that end, and places that stay empty ---------------------------------------------------------------------


@pytest.mark.parametrize("state", ["COMPLETED", "STOPPED", "FAILED"])
def test_the_last_one_may_end_instead_of_coming_in_any_round(race, state):
    # ray-project/ray#6780, #39900: Ray Tune looks at this in the first round only, and the others wait for ever
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    for trial in trials[:8]:
        r.report(trial, 1, 0.5)
    r.end(trials[8], state)
    assert r.fill()[0] == trials[:3]
    for trial in trials[:2]:
        r.report(trial, 3, 0.5)
    r.end(trials[2], state)
    assert r.fill() == ([trials[0]], [trials[1]])
    r.end(trials[0], state)
    assert r.hyperband._members == {}


def test_those_that_failed_count_as_the_worst(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    for trial in trials[:5]:
        r.end(trial, "FAILED")
    for trial in trials[5:]:
        r.report(trial, 1, 0.5)
    assert r.fill() == (trials[5:8], trials[8:])  # floor(9 / 3), not floor(4 / 3)


def test_a_paused_trial_that_ends_is_not_promoted(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    for number, trial in enumerate(trials[:8]):
        r.report(trial, 1, number)
    r.end(trials[0], "STOPPED")  # somebody else's doing, such as a space that was narrowed on a resume
    r.report(trials[8], 1, 8)
    assert r.fill()[0] == trials[1:4]


def test_one_that_was_to_go_on_and_ends_first_is_not_waited_for(race):
    r = race(**NINE)
    trials = full_bracket(r, range(9))
    r.end(trials[1], "STOPPED")
    assert r.fill()[0] == [trials[0], trials[2]]
    r.report(trials[0], 3, 0.0)
    r.report(trials[2], 3, 1.0)
    assert r.fill() == ([trials[0]], [trials[2]])


def test_a_trial_that_is_over_does_not_make_room_in_its_bracket(race):
    # ray-project/ray#12536: with a searcher that gives one trial at a time Ray Tune's first bracket never fills
    r = race(**NINE)
    for _ in range(9):
        r.end(r.start())
    assert r.hyperband._members[r.start()].bracket.number == 1


@pytest.mark.parametrize("before", [0, 4, 9])
def test_a_config_that_breaks_a_constraint_takes_no_place(race, before):
    r = race(**NINE)
    trials = [r.start() for _ in range(before)]
    r.end(r.start(launched=False), "STOPPED")
    trials += [r.start() for _ in range(9 - before)]
    assert {r.hyperband._members[trial].bracket.number for trial in trials} == {0}
    assert r.hyperband._members[r.start()].bracket.number == 1
    for trial in trials:
        r.report(trial, 1, 0.5)
    assert r.fill()[0] == trials[:3]


def test_a_trial_that_ends_before_its_launch_is_not_replaced_once_the_next_bracket_is_open(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(8)]
    outsider = r.start(launched=False)
    r.start()
    for trial in trials:
        r.report(trial, 1, 0.5)
    r.end(outsider, "STOPPED")  # a resume with a narrower space
    assert r.fill()[0] == trials[:2]  # floor(8 / 3)


def test_a_bracket_that_gets_no_more_trials_goes_on_with_those_that_it_has(race):
    r = race(**NINE)
    trials = full_bracket(r, [0.7, 0.6, 0.1, 0.2, 0.5, 0.4])
    assert r.fill() == ([], [])
    resumed, stopped = r.fill(exhausted="all 6 trials have been started")
    assert (resumed, sorted(stopped)) == ([trials[2], trials[3]], [trials[0], trials[1], trials[4], trials[5]])
    assert r.hyperband._members[r.start()].bracket.number == 1  # nobody joins it now
    for trial, loss in zip(resumed, (0.2, 0.1), strict=True):
        assert r.report(trial, 3, loss) == "pause"
    assert r.fill() == ([trials[3]], [trials[2]])  # at least one, where floor(2 / 3) is none


def test_it_does_so_only_when_those_underway_have_come(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(3)]
    r.report(trials[0], 1, 0.5)
    assert r.fill(exhausted="no more") == ([], [])
    r.end(trials[1], "FAILED")
    r.report(trials[2], 1, 0.4)
    assert r.fill(exhausted="no more") == ([trials[2]], [trials[0]])


def test_one_that_goes_on_alone_goes_on_to_the_end(race):
    r = race(max_t=81)
    trial = r.start()
    r.report(trial, 1, 0.5)
    assert r.fill(exhausted="num_samples is 1") == ([trial], [])
    assert [r.report(trial, t, 0.5) for t in (3, 9, 27, 80, 81)] == ["continue"] * 4 + ["stop"]


# --- pauses that are not in force, and those of others ---------------------------------------------------------------


def test_a_trial_whose_pause_did_not_come_into_force_is_waited_for_and_judged_by_what_it_reported_first(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    r.tell(trials[0], 1, 0.9)  # the run ended at this report, and was resumed
    for number, trial in enumerate(trials[1:], 1):
        r.report(trial, 1, number / 10)
    assert r.fill() == ([], [])
    assert r.report(trials[0], 2, 0.0) == "pause"
    assert r.fill()[0] == trials[1:4]


def test_a_trial_that_somebody_else_paused_on_the_way_goes_on_at_once(race):
    r = race(max_t=27, grace_period=3)
    trial = r.start()
    r.tell(trial, 1, 0.5)
    r.pause(trial)
    assert r.fill() == ([trial], [])
    assert r.report(trial, 3, 0.5) == "pause"
    assert r.fill() == ([], [])


def test_a_trial_that_was_paused_beyond_a_max_t_that_is_smaller_now_is_stopped(race):
    r = race(**NINE)
    trial = r.start()
    r.tell(trial, 27, 0.5)
    r.pause(trial)
    assert r.fill() == ([], [trial])


def test_trials_that_the_kernel_resumes_for_a_new_scheduler_come_to_their_round_again(race):
    r = race(**NINE)
    trials = full_bracket(r, range(4))  # paused by another scheduler
    for trial in trials:
        r.resume(trial, "the scheduler was changed")
    trials += [r.start() for _ in range(5)]
    for number, trial in enumerate(trials):
        assert r.report(trial, 2, number) == "pause"
    assert r.fill()[0] == trials[:3]


def test_a_journal_that_other_options_made_is_heard_without_a_stumble(race):
    r = race(**NINE)
    trials = [r.start() for _ in range(9)]
    r.report(trials[0], 1, 0.5)
    r.resume(trials[0])  # as a bracket of one place had it
    assert r.report(trials[0], 2, 0.0) == "pause"
    for trial in trials[1:]:
        r.report(trial, 1, 0.1)
    assert r.fill()[0] == trials[1:4]
    assert [r.report(trial, 3, 0.0) for trial in trials[1:4]] == ["pause"] * 3
    assert r.fill() == (trials[1:2], trials[2:4])


def test_those_that_it_would_have_stopped_go_on_to_the_next_round_then(race):
    r = race(**NINE)
    trials = full_bracket(r, range(9))
    for trial in trials[::2]:
        r.resume(trial, "the scheduler was changed")
    assert r.fill() == ([trials[1]], [trials[3], trials[5], trials[7]])
    for number, trial in enumerate([trials[1], *trials[::2]]):
        assert r.report(trial, 3, number) == "pause"
    assert r.fill()[0] == [trials[1], trials[0]]  # the best floor(6 / 3)


# --- replay ----------------------------------------------------------------------------------------------------------


def snapshot(hyperband):
    brackets = {member.bracket.number: member.bracket for member in hyperband._members.values()}
    state = ("places", "entered", "underway", "waiting", "rung")
    return (
        {number: [getattr(bracket, name) for name in state] for number, bracket in brackets.items()},
        {trial: (member.loss, member.finished, member.verdict) for trial, member in hyperband._members.items()},
        hyperband._resumable, hyperband._losers, hyperband._opened,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_tells_alone_rebuild_everything(race, seed):
    r, rng = race(**NINE), random.Random(seed)
    running: dict[str, int] = {}
    for _ in range(400):
        if rng.random() < 0.7:
            resumed, _ = r.fill(exhausted=rng.choice([None, None, "for now"]))
            running |= {trial: r.trials[trial].iteration for trial in resumed}
        while len(running) < 4:
            running[r.start()] = 0
        trial = rng.choice(list(running))
        running[trial] += rng.choice([1, 1, 1, 2])
        if r.report(trial, running[trial], rng.choice([rng.random(), math.nan])) != "continue":
            del running[trial]
        elif rng.random() < 0.1:
            r.end(trial, rng.choice(["COMPLETED", "FAILED"]))
            del running[trial]
        if rng.random() < 0.1:
            assert snapshot(r.replayed()) == snapshot(r.hyperband)


def test_a_bracket_that_is_over_leaves_nothing(race):
    r = race(**NINE)
    for _ in range(20):
        for trial in [r.start() for _ in range(17)]:
            r.report(trial, 9, 0.5)
    assert r.hyperband._members == {}


# --- options ---------------------------------------------------------------------------------------------------------


def test_several_objectives_are_refused(race):
    with pytest.raises(OptionError, match="hyperband"):
        race(Objective(["loss", "size"], ["min", "min"]))


@pytest.mark.parametrize(
    "options",
    [{"grace_period": 0}, {"grace_period": 10, "max_t": 9}, {"reduction_factor": 1}, {"brackets": 0}, {"brackets": 6}],
)
def test_a_wrong_option_is_named(options):
    with pytest.raises(OptionError, match=list(options)[-1]):
        HyperBand(**options)
