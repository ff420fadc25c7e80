from __future__ import annotations

import math
import random

import numpy as np

from microtune_search_bohb.model import Model, filled

NAN = math.nan


def test_a_proposal_is_where_the_good_ones_are_and_the_bad_ones_are_not() -> None:
    rng = random.Random(0)
    good = [(0.2 + 0.01 * i, 0.5) for i in range(8)]
    bad = [(rng.random(), rng.random()) for _ in range(40)]
    model = Model(good, bad, (0, 0), 1e-3, rng)
    proposed = np.array([model.propose(rng, 64, 3.0) for _ in range(50)])
    assert np.all(np.abs(proposed[:, 0] - 0.235) < 0.2)
    assert np.all(np.abs(proposed[:, 1] - 0.5) < 0.02)


def test_a_proposal_is_the_draw_with_the_largest_ratio() -> None:
    rng = random.Random(0)
    model = Model([(0.1,), (0.3,), (0.9,)], [(0.3,), (0.5,), (0.8,)], (0,), 1e-3, rng)
    draws = random.Random(1)
    points = np.array([model.good.draw(draws, 3.0) for _ in range(64)])
    ratios = model.good(points) / model.bad(points)
    assert model.propose(random.Random(1), 64, 3.0) == (points[ratios.argmax(), 0],)


def test_what_one_lacks_comes_from_one_that_has_it_and_together() -> None:
    vectors = [(0.0, 0.1, 0.2), (0.0, 0.3, 0.4), (1.0, NAN, NAN)]
    seen = {tuple(filled(vectors, (2, 0, 0), random.Random(seed))[2].tolist()) for seed in range(20)}
    assert seen == {(1.0, 0.1, 0.2), (1.0, 0.3, 0.4)}


def test_what_all_lack_is_drawn() -> None:
    data = filled([(NAN, 0.5, NAN)] * 200, (0, 0, 3), random.Random(0))
    assert 0 <= data[:, 0].min() < 0.1
    assert 0.9 < data[:, 0].max() <= 1
    assert set(data[:, 2].tolist()) == {0, 1, 2}


def test_what_none_has_together_is_taken_from_several() -> None:
    vectors = [(0.0, 0.1, NAN), (1.0, NAN, 0.2), (2.0, NAN, NAN)]
    assert filled(vectors, (3, 0, 0), random.Random(0)).tolist() == [[0, 0.1, 0.2], [1, 0.1, 0.2], [2, 0.1, 0.2]]
