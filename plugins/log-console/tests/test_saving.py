from __future__ import annotations

import random

import pytest

from microtune import Result
from microtune_log_console.saving import Savings


def result(iteration: int, time: float) -> Result:
    return Result({}, iteration, time, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_every_trial_would_have_taken_to_the_longest_ones_iteration_at_its_own_pace(seed: int) -> None:
    rng = random.Random(seed)
    # How long it took to begin, iterations, seconds an iteration, whether it was stopped.
    trials = [(rng.uniform(0, 50), rng.randint(1, 30), rng.uniform(0.1, 9), rng.random() < 0.7) for _ in range(50)]
    trials[40:] = [(begin, last, pace, True) for begin, last, pace, _ in trials[40:]]
    savings, behind = Savings(), []
    for number, (begin, last, pace, early) in enumerate(trials):
        results = result(1, begin + pace), result(last, begin + last * pace)
        if number < 40:
            savings.over(*results, early)
        else:
            behind.append(results)
    saved = savings.total(behind)
    longest = max(last for _, last, _, _ in trials)
    measured = [(last - 1, pace) for _, last, pace, _ in trials if last > 1]
    average = sum(steps * pace for steps, pace in measured) / sum(steps for steps, _ in measured)
    short = [(last, pace if last > 1 else average) for _, last, pace, early in trials if early and last < longest]
    assert saved is not None
    assert saved.trials == len(short)
    assert saved.time == pytest.approx(sum((longest - last) * pace for last, pace in short))
    assert saved.part == pytest.approx(saved.time / (saved.time + sum(b + n * pace for b, n, pace, _ in trials)))
    assert saved.longest == longest
    assert savings.total(behind) == saved  # to ask changes nothing


def test_nothing_is_saved_where_all_that_were_stopped_were_at_the_end() -> None:
    savings = Savings()
    assert savings.total() is None
    savings.over(result(1, 0.5), result(10, 5.0), early=True)
    savings.over(result(1, 0.5), result(10, 6.0), early=True)
    savings.over(result(1, 0.5), result(3, 6.0), early=False)  # it failed, or was done
    assert savings.total() is None
