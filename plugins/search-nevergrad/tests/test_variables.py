from __future__ import annotations

import random

import numpy as np
import pytest

from microtune import Space, choice, lograndint, loguniform, qrandint, quniform, randint, randn, uniform
from microtune.testing.spaces import MIXED, SPACES
from microtune_search_nevergrad.variables import Variables


def variables(spec):
    made = Variables(Space(spec))
    made.root.random_state = np.random.RandomState(1)
    return made


@pytest.mark.parametrize("name", [*SPACES, "mixed"])
def test_a_config_becomes_a_candidate_and_is_read_back(name):
    space = Space({**SPACES, "mixed": MIXED}[name])
    v = variables(space.spec)
    rng = random.Random(1)
    for _ in range(20):
        config = space.sample(rng)
        back = space.flatten(space.project(v.config(v.candidate(config, v.root)), rng))
        for key, value in space.flatten(config).items():
            inexact = type(value) is float or (type(value) is int and value > 2**53)
            assert back[key] == (pytest.approx(value, rel=1e-12) if inexact else value)


def test_a_branch_that_was_not_chosen_says_nothing():
    v = variables({"kind": choice([{"a": uniform(0, 1)}, {"b": uniform(0, 1)}])})
    assert v.config(v.candidate({"kind": {"b": 0.25}}, v.root)) == {"kind": {"b": 0.25}}


def test_bounds_of_integers_are_drawn_as_often_as_the_values_between():
    v = variables({"n": randint(0, 3), "k": qrandint(10, 30, 10), "x": quniform(0, 1, 0.5)})
    drawn = [v.config(v.root.sample()) for _ in range(300)]
    for key, values in {"n": (0, 1, 2), "k": (10, 20, 30), "x": (0.0, 0.5, 1.0)}.items():
        for value in values:
            assert sum(config[key] == value for config in drawn) == pytest.approx(100, abs=30)


def test_a_logarithmic_range_begins_in_its_middle():
    v = variables({"lr": loguniform(1e-4, 1.0), "n": lograndint(1, 1000), "z": randn(10, 2)})
    config = v.config(v.root)
    assert config["lr"] == pytest.approx(1e-2)
    assert 20 < config["n"] < 30
    assert config["z"] == 10


def test_weights_are_where_the_choice_begins_and_a_weight_of_zero_is_out():
    v = variables({"kind": choice(["often", "never", "seldom"], weights=[9, 0, 1])})
    drawn = [v.config(v.root.spawn_child().set_standardized_data([0.0, 0.0]))["kind"] for _ in range(500)]
    assert drawn.count("often") == pytest.approx(450, abs=30)
    assert drawn.count("never") == 0
    assert v.candidate({"kind": "never"}, v.root) is None


def test_categories_that_look_alike_are_told_apart():
    v = variables({"kind": choice([1, True, "1", [1], None, {"a": 1}])})
    for category in [1, True, "1", [1], None, {"a": 1}]:
        assert repr(v.config(v.candidate({"kind": category}, v.root))["kind"]) == repr(category)
