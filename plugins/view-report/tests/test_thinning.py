"""What thinning keeps."""

from __future__ import annotations

import random

from microtune import Objective
from microtune_view_report.thinning import best_and_some, curve, evenly, sight

MIN, MAX = Objective("m", "min"), Objective("m", "max")


def test_an_even_sample_has_both_ends() -> None:
    assert evenly(range(101), 5) == [0, 25, 50, 75, 100]
    assert evenly([1, 2], 5) == [1, 2]
    assert evenly([1, 2, 3], 1) == [3]


def test_the_best_are_never_thinned_away_and_the_order_stays() -> None:
    rng = random.Random(1)
    items = [(rng.random(), i) for i in range(1000)]
    kept = best_and_some(items, 100)
    assert len(kept) == 100
    assert kept == sorted(kept)
    assert {i for _, i in sorted(items, reverse=True)[:50]} <= set(kept)


def test_a_thinned_curve_has_its_ends_and_its_peaks() -> None:
    points = [(float(i), float(i % 7)) for i in range(5000)]
    points[1234] = (1234.0, 99.0)
    points[4321] = (4321.0, -99.0)
    kept = curve(points, 120)
    assert len(kept) <= 122
    assert {points[0], points[1234], points[4321], points[-1]} <= set(kept)
    assert kept == sorted(kept)


def test_one_wild_value_does_not_spoil_the_axis_and_is_counted() -> None:
    values = [i / 100 for i in range(100)] + [1e9]
    span, beyond = sight(values, MIN)
    assert span is not None
    assert span[0] < 0
    assert 1 < span[1] < 5
    assert beyond == 1
    turned, beyond = sight([-v for v in values], MAX)
    assert turned == [-span[1], -span[0]]
    assert beyond == 1


def test_an_axis_that_shows_all_is_left_to_plotly() -> None:
    assert sight([i / 100 for i in range(100)], MIN) == (None, 0)
    assert sight([1.0] * 50, MAX) == (None, 0)
    assert sight([1.0, 1e9], MIN) == (None, 0)
    assert sight([float("nan")] * 50, MIN) == (None, 0)
