from __future__ import annotations

import math
import random
from typing import Any

import pytest

import microtune as mt
from microtune import Space
from microtune.testing.spaces import SPACES
from microtune_search_bohb.dimensions import Dimensions


@pytest.mark.parametrize("name", list(SPACES))
def test_a_config_comes_back_from_its_vector(name: str) -> None:
    space, rng = Space(SPACES[name]), random.Random(0)
    dimensions = Dimensions(space)
    for _ in range(50):
        config = space.sample(rng)
        vector = dimensions.vector(config)
        for x, levels in zip(vector, dimensions.levels, strict=True):
            assert math.isnan(x) or (x in range(levels) if levels else 0 <= x <= 1)
        proposed = dimensions.config(tuple(0.0 if math.isnan(x) else x for x in vector))
        there, back = space.flatten(config), space.flatten(space.project(proposed, rng))
        for key, value in there.items():
            assert back[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, (int, float)) else value), key


def test_a_logarithmic_range_is_halved_at_its_geometric_mean() -> None:
    dimensions = Dimensions(Space({"lr": mt.loguniform(1e-5, 1e-1)}))
    assert dimensions.vector({"lr": 1e-3}) == (pytest.approx(0.5),)
    assert dimensions.config((0.25,))["lr"] == pytest.approx(1e-4)


def test_a_normal_is_its_quantile() -> None:
    dimensions = Dimensions(Space({"x": mt.randn(10, 2)}))
    assert dimensions.vector({"x": 12.0}) == (pytest.approx(0.8413447),)
    assert dimensions.config((0.0,))["x"] == pytest.approx(10 - 6 * 2)


@pytest.mark.parametrize(("domain", "values"), [
    (mt.randint(1, 5), [1, 2, 3, 4]),
    (mt.qrandint(8, 32, 8), [8, 16, 24, 32]),
    (mt.quniform(0.1, 0.4, 0.1), [0.1, 0.2, 0.3, 0.4]),
])  # fmt: skip
def test_the_bounds_of_a_quantised_range_have_as_much_room_as_what_is_between(domain: Any, values: list[float]) -> None:
    dimensions = Dimensions(Space({"x": domain}))
    read = [dimensions.config(((i + 0.5) / 1000,))["x"] for i in range(1000)]
    assert [sum(abs(each - value) < 1e-9 for each in read) for value in values] == [250] * 4
    assert [dimensions.vector({"x": value}) for value in values] == [
        (pytest.approx(p),) for p in (0.125, 0.375, 0.625, 0.875)
    ]


def test_what_is_inactive_is_nan() -> None:
    branches = [{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam", "beta": mt.uniform(0, 1)}]
    dimensions = Dimensions(Space({"optimizer": mt.choice(branches)}))
    choice, momentum, beta = dimensions.vector({"optimizer": {"kind": "adam", "beta": 0.25}})
    assert (choice, beta) == (1, 0.25)
    assert math.isnan(momentum)
    assert dimensions.config((1.0, 0.5, 0.25)) == {"optimizer": {"kind": "adam", "beta": 0.25}}


def test_a_parameter_with_one_value_is_no_dimension_and_yet_in_the_config() -> None:
    space = Space({
        "x": mt.randint(3, 4),
        "branch": mt.choice([{"y": mt.uniform(0, 1)}, "never"], weights=[1, 0]),
        "same": mt.choice(["a", "a"]),
    })  # fmt: skip
    dimensions = Dimensions(space)
    assert len(dimensions) == 1
    assert dimensions.config((0.5,)) == {"branch": {"y": 0.5}, "same": "a"}


def test_a_category_of_weight_zero_has_no_level() -> None:
    dimensions = Dimensions(Space({"x": mt.choice(["a", "b", "c"], weights=[1, 0, 1])}))
    assert dimensions.levels == (2,)
    assert [dimensions.config((float(i),))["x"] for i in range(2)] == ["a", "c"]
    assert math.isnan(dimensions.vector({"x": "b"})[0])


def test_1_true_and_the_text_1_are_three_categories() -> None:
    dimensions = Dimensions(Space({"x": mt.choice([1, True, "1"])}))
    assert [dimensions.vector({"x": value}) for value in (1, True, "1")] == [(0,), (1,), (2,)]
