from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest

from microtune_schedule_hyperband.brackets import Bracket, Plan, plans


def rounds(plan: Plan, factor: int) -> list[tuple[int, int]]:
    """(trials, amount of training) of each round, where nobody fails."""
    bracket, found = Bracket(0, plan), []
    for _ in range(plan.size):
        bracket.places -= 1
        bracket.enter()
    while True:
        found.append((bracket.entered, bracket.rung))
        if bracket.rung == plan.rungs[-1]:
            return found
        bracket.waiting = [(0, float(number), number, str(number)) for number in range(bracket.entered)]
        bracket.judge(factor)


def test_max_81_and_factor_3_give_algorithm_1s_brackets():
    # Li et al. 2018, Algorithm 1: n = ceil((s_max + 1) / (s + 1) * 3**s); n_i = floor(n / 3**i); r_i = 81 / 3**(s - i)
    assert [rounds(plan, 3) for plan in plans(81, 1, 3)] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_max_8_and_factor_2_give_the_brackets_that_mlr3hyperband_documents():
    # https://mlr3hyperband.mlr-org.com/reference/mlr_tuners_hyperband.html, which rounds n_i as Algorithm 1 does
    assert [rounds(plan, 2) for plan in plans(8, 1, 2)] == [
        [(8, 1), (4, 2), (2, 4), (1, 8)],
        [(6, 2), (3, 4), (1, 8)],
        [(4, 4), (2, 8)],
        [(4, 8)],
    ]


@pytest.mark.parametrize("factor", [2, 3, 4, 10])
@pytest.mark.parametrize("grace_period", [1, 2, 5])
@pytest.mark.parametrize("max_t", [5, 27, 81, 100, 243, 1000, 10**18])
def test_the_numbers_are_those_of_exact_fractions(max_t, grace_period, factor):
    s_max = 0
    while Fraction(max_t, factor ** (s_max + 1)) >= grace_period:
        s_max += 1
    table = plans(max_t, grace_period, factor)
    assert len(table) == s_max + 1
    for plan, s in zip(table, range(s_max, -1, -1), strict=True):
        assert plan.size == ceil(Fraction(s_max + 1, s + 1) * factor**s)
        assert plan.rungs == tuple(floor(Fraction(max_t, factor ** (s - i))) for i in range(s + 1))
        assert plan.rungs[0] >= grace_period


def test_powers_that_a_logarithm_in_floating_point_loses_are_kept():
    assert plans(243, 1, 3)[0] == Plan(243, (1, 3, 9, 27, 81, 243))  # int(log(243) / log(3)) is 4
    assert plans(1000, 1, 10)[0] == Plan(1000, (1, 10, 100, 1000))  # int(log(1000) / log(10)) is 2


def test_every_full_bracket_takes_somebody_to_max_t_without_the_help_of_at_least_one():
    for factor in (2, 3, 4):
        for max_t in range(1, 200):
            for plan in plans(max_t, 1, factor):
                assert plan.size // factor ** (len(plan.rungs) - 1) >= 1
