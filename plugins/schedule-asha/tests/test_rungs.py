from __future__ import annotations

import random

import pytest

from microtune_schedule_asha.rungs import Rung, bracket_weights, levels


@pytest.mark.parametrize(
    ("grace_period", "max_t", "factor", "table"),
    [
        (1, 9, 3, [1, 3, 9]),  # Li et al. 2020, Table 1, bracket 0
        (3, 9, 3, [3, 9]),  # bracket 1
        (9, 9, 3, [9]),  # bracket 2
        (1, 100, 4, [1, 4, 16, 64]),
        (1, 1000, 10, [1, 10, 100, 1000]),  # where int(log(1000) / log(10)) is 2
        (1, 243, 3, [1, 3, 9, 27, 81, 243]),  # and int(log(243) / log(3)) is 4
        (5, 26, 5, [5, 25]),
        (1, 10**18, 10, [10**k for k in range(19)]),
    ],
)
def test_rungs_are_exact_powers(grace_period, max_t, factor, table):
    assert levels(grace_period, max_t, factor) == table


def test_brackets_are_weighted_as_hyperband_fills_them():
    # Li et al. 2018 (JMLR 18), Algorithm 1: R = 81 and factor 3 start 81, 34, 15, 8 and 5 trials.
    assert bracket_weights(5, 5, 3) == [81, 34, 15, 8, 5]
    assert bracket_weights(5, 2, 3) == [81, 34]


@pytest.mark.parametrize("factor", [2, 3, 4, 10])
def test_the_best_are_those_that_fewer_than_one_nth_beat(factor):
    rng = random.Random(factor)
    rung, seen = Rung(1, factor), []
    for _ in range(200):
        loss = float(rng.randrange(40))  # with many equals
        rung.record(loss)
        seen.append(loss)
        beaten_by = sum(other < loss for other in seen)
        assert rung.among_the_best(loss) == (beaten_by < max(1, len(seen) // factor))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_promotable_trial_is_the_best_that_waits_among_the_best_nth(factor):
    rng = random.Random(factor)
    rung, waiting, places = Rung(1, factor), {}, {}
    for number in range(300):
        loss = float(rng.randrange(30))
        rung.record(loss)
        waiting[str(number)] = rung.admit(loss, str(number))
        places[str(number)] = (loss, number)
        ranked = sorted(places, key=places.__getitem__)
        expected = next((one for one in ranked[: len(places) // factor] if one in waiting), None)
        assert rung.promotable() == expected
        if expected is not None and rng.random() < 0.7:
            rung.release(waiting.pop(expected))
