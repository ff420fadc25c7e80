"""The numbers of statsmodels are KDEMultivariate(data, var_type, bw="normal_reference") of statsmodels 0.15.0."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from microtune_search_bohb.density import Density

DATA = [[0.1, 0.9, 0], [0.2, 0.7, 1], [0.4, 0.8, 0], [0.35, 0.6, 1], [0.5, 0.75, 0]]


def density(data: list[list[float]], levels: tuple[int, ...], min_bandwidth: float = 1e-3) -> Density:
    return Density(np.array(data, float), levels, min_bandwidth)


def test_bandwidths_are_those_of_statsmodels() -> None:
    widths = density(DATA, (0, 0, 2)).bandwidths
    assert widths == pytest.approx([0.12030068249790454, 0.08422732489839636, 0.4126279368013761], rel=1e-12)


def test_bandwidths_are_those_of_the_formula() -> None:
    # sigma of 0, 0.5, 1 is sqrt(1/6); n = 3, d = 1
    assert density([[0.0], [0.5], [1.0]], (0,)).bandwidths == [pytest.approx(1.06 * math.sqrt(1 / 6) * 3 ** (-1 / 5))]


def test_densities_are_those_of_statsmodels() -> None:
    points = np.array([[0.3, 0.7, 0], [0.3, 0.7, 1], [0.9, 0.1, 0]])
    expected = [2.566802993096334, 2.8884035132574954, 8.357431203764959e-13]
    assert density(DATA, (0, 0, 2))(points).tolist() == pytest.approx(expected, rel=1e-9)


def test_the_probabilities_of_categories_add_up_to_one_and_none_is_impossible() -> None:
    found = density([[0.0], [0.0], [2.0], [2.0]], (5,))(np.array([[float(k)] for k in range(5)])).tolist()
    assert sum(found) == pytest.approx(1)
    assert found[1] == found[3] == found[4] > 0
    assert found[0] == found[2] > found[1]


def test_the_bandwidth_of_a_category_depends_on_no_order_of_the_categories() -> None:
    counts = [0, 0, 0, 1, 2, 2]
    widths = {
        tuple(density([[float(order[k])] for k in counts], (3,)).bandwidths)
        for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1])
    }
    assert len(widths) == 1


def test_no_kernel_of_a_category_is_negative() -> None:
    # The rule of statsmodels, from the standard deviation of the indices, has a bandwidth of 2.01 here.
    spread = density([[float(k)] for k in (0, 0, 5, 5)], (6,))
    assert min(spread(np.array([[float(k)] for k in range(6)]))) > 0


def test_no_kernel_of_a_category_likes_the_others_better() -> None:
    # In 60 dimensions the rule hardly shrinks with the number of points: 1.06 * 0.5 * 2 ** (-1 / 64) is 0.524.
    assert density([[0.0] * 60, [1.0] * 60], (2,) * 60).bandwidths == [0.5] * 60


def test_no_bandwidth_is_below_the_least() -> None:
    assert density([[0.5, 1.0]] * 4, (0, 2), 0.01).bandwidths == [0.01, 0.01]


@pytest.mark.parametrize("mean", [0.0, 0.3, 1.0])
def test_draws_of_a_number_are_those_of_a_truncated_normal(mean: float) -> None:
    rng, width = random.Random(0), 0.2
    one = density([[mean]], (0,), width)
    drawn = np.sort([one.draw(rng, 3.0)[0] for _ in range(4000)])
    assert drawn[0] >= 0
    assert drawn[-1] <= 1

    def cdf(x: float) -> float:  # of the normal around `mean`, three times as wide as its kernel
        return 0.5 * math.erfc((mean - x) / (0.6 * math.sqrt(2)))

    exact = np.array([(cdf(x) - cdf(0)) / (cdf(1) - cdf(0)) for x in drawn.tolist()])
    # Kolmogorov and Smirnov: a greater distance has a probability of 0.001
    assert np.abs(exact - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / math.sqrt(4000)


def test_draws_of_a_category_keep_it_or_are_any() -> None:
    rng = random.Random(0)
    one = density([[2.0]], (4,), 0.4)
    drawn = [one.draw(rng, 3.0)[0] for _ in range(4000)]
    assert set(drawn) == {0, 1, 2, 3}
    assert drawn.count(2) / 4000 == pytest.approx(0.6 + 0.4 / 4, abs=0.03)
