from __future__ import annotations

import math
import random

import pytest

from microtune_search_bohb import observations
from microtune_search_bohb.observations import Observations


def filled(enough: int, losses: list[float], budget: int = 1) -> Observations:
    """Whose vectors are their losses."""
    made = Observations(enough)
    for loss in losses:
        made.measured(budget, loss, (loss,))
    return made


def flat(vectors: list[tuple[float, ...]]) -> list[float]:
    return [vector[0] for vector in vectors]


@pytest.mark.parametrize(("n", "good", "bad"), [
    # The formulas of section 4.1, q = 15 %, N_min = 8: N_l = max(8, 0.15 n), N_g = max(8, n - N_l).
    (10, 8, 8), (16, 8, 8), (20, 8, 12), (53, 8, 45), (54, 8, 46), (60, 9, 51), (100, 15, 85), (200, 30, 170),
])  # fmt: skip
def test_the_best_and_the_worst_are_as_many_as_in_the_paper(n: int, good: int, bad: int) -> None:
    losses = [float(i) for i in range(n)]
    made = filled(10, random.Random(0).sample(losses, n))
    best, worst = made.split(8, 15)
    assert (flat(best), flat(worst)) == (losses[:good], losses[n - bad :])


def test_of_equal_losses_the_earlier_is_the_better() -> None:
    made = Observations(2)
    for i in range(6):
        made.measured(1, 0.5, (float(i),))
    assert flat(made.split(3, 15)[0]) == [0, 1, 2]


def test_the_largest_budget_with_enough_observations_is_modelled() -> None:
    made = Observations(3)
    for budget, count in ((1, 9), (3, 3), (9, 2)):
        for i in range(count):
            made.measured(budget, float(i), (float(budget),))
    assert made.budget == 3
    assert set(flat(made.split(2, 15)[0])) == {3}
    made.measured(9, 0.0, (9.0,))
    assert made.budget == 9


def test_no_budget_is_modelled_before_it_has_enough_numbers() -> None:
    made = filled(3, [1.0, 2.0, math.inf, math.inf])
    made.failed(0, (0.0,))
    assert made.budget == 0
    made.measured(1, 3.0, (3.0,))
    assert made.budget == 1


def test_who_has_no_number_is_never_good_and_always_bad() -> None:
    made = filled(3, [1.0, 2.0, 3.0] + [math.inf] * 97)
    good, bad = made.split(2, 50)
    assert flat(good) == [1, 2, 3]
    assert flat(bad) == [math.inf] * 97


def test_a_failed_trial_is_the_worst_at_budgets_that_it_did_not_reach() -> None:
    made = filled(3, [1.0, 2.0, 3.0], budget=5)
    made.failed(4, (-4.0,))
    made.failed(5, (-5.0,))  # it has its loss there
    assert flat(made.split(2, 15)[1]) == [3.0, -4.0]
    for loss in (6.0, 7.0, 8.0):
        made.measured(6, loss, (loss,))
    assert flat(made.split(2, 15)[1]) == [8.0, -4.0, -5.0]


def test_what_is_below_the_modelled_budget_is_forgotten() -> None:
    made = Observations(3)
    for trial in range(100):
        for budget in range(1, 82):
            made.measured(budget, float(trial), (0.0,))
    assert made.budget == 81
    assert sum(map(len, made._budgets.values())) == 100


def test_of_very_many_observations_a_share_of_every_rank_is_modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MOST", 10)
    good, bad = filled(3, [float(i) for i in range(100)]).split(2, 15)
    assert flat(good) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert flat(bad) == [15 + 9 * i for i in range(10)]
