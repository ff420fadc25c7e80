from __future__ import annotations

import functools
import json
import math
import random
from collections import Counter

import pytest

from microtune.domains import Choice, Function, Grid, Lost, decode, encode, name_of
from microtune.faults import SpaceError
from microtune.space import choice, grid_search, lograndint, quniform, randn, sample_from, uniform

RNG = random.Random(0)


def double(config):
    return config["a"] * 2


def test_a_choice_is_uniform_unless_weighed():
    rng = random.Random(3)
    plain_choice, weighed = choice(["a", "b", "c", "d"]), choice(["a", "b", "c"], weights=[1, 0, 3])
    counts = Counter(plain_choice.sample(rng) for _ in range(8000))
    assert all(abs(count - 2000) < 5 * 39 for count in counts.values())  # sd = sqrt(8000 * 1/4 * 3/4) = 39
    counts = Counter(weighed.sample(rng) for _ in range(8000))
    assert set(counts) == {"a", "c"}
    assert abs(counts["a"] - 2000) < 5 * 39


def test_a_category_of_weight_zero_is_never_drawn_not_even_by_rounding():
    class Last(random.Random):
        def random(self):
            return 1.0  # what random() * total may round to

    assert choice(["a", "b", "c"], weights=[1, 2, 0]).sample(Last()) == "b"


def test_categories_are_found_whatever_their_type():
    domain = choice([None, True, "relu", 3, [64, 64], {"a": 1}])
    for category in domain.categories:
        assert domain.contains(category)
        assert domain.project(category) == category
    assert domain.project((64, 64)) == [64, 64]
    assert not domain.contains((64, 64))
    assert not domain.contains("tanh")


def test_true_and_one_are_two_categories():
    domain = choice([1, True, 0])
    assert domain.project(1) == 1
    assert type(domain.project(1)) is int
    assert domain.project(True) is True
    assert domain.size == 3
    assert choice([True, False]).project(1) is True


def test_a_number_projects_onto_the_nearest_of_numeric_categories():
    domain = choice([32, 64, 128])
    assert domain.project(70.2) == 64
    assert domain.project(64.0) == 64
    assert type(domain.project(64.0)) is int
    assert domain.project(1e9) == 128


def test_a_value_that_is_no_category_and_near_none_is_refused():
    numbers = choice([1, 2])
    cases = ((choice(["a", "b"]), "c"), (choice(["a", 1]), 2), (numbers, "1"), (numbers, None), (numbers, math.inf))
    for domain, value in cases:
        with pytest.raises(SpaceError, match="none of the categories"):
            domain.project(value)


def test_what_is_drawn_from_a_choice_or_grid_may_be_changed_freely():
    for domain in (choice([[1], [1]]), grid_search([[1]])):
        domain.project([1]).append(2)
        assert domain.project([1]) == [1]
    chosen = choice([{"a": [1]}])
    chosen.sample(RNG)["a"].append(2)
    assert chosen.sample(RNG) == {"a": [1]}


def test_sizes_count_distinct_values():
    assert choice([1, 1.0, True, [1], [1.0], {"a": 1}]).size == 4
    assert grid_search([1, 2, 2]).size == 2


def test_a_conditional_choice_speaks_of_branches_by_index():
    domain = choice([{"kind": "sgd", "momentum": uniform(0, 1)}, "none", uniform(1, 2)])
    assert domain.conditional
    assert domain.size == 3
    assert {domain.sample(random.Random(seed)) for seed in range(30)} == {0, 1, 2}
    assert domain.contains(2)
    assert not domain.contains(3)
    assert domain.project(1.0) == 1
    with pytest.raises(SpaceError, match="5 is the index of none of the 3 branches"):
        domain.project(5)


def test_a_grid_is_not_drawn_from():
    with pytest.raises(SpaceError, match="grid_search works with searcher='grid' only; use choice"):
        grid_search([1, 2]).sample(RNG)


def test_a_grid_takes_its_own_values_only():
    domain = grid_search([1, 2, "a"])
    assert domain.project(2.0) == 2
    assert domain.contains("a")
    with pytest.raises(SpaceError, match="3 is not on the grid"):
        domain.project(3)


def test_a_function_gets_as_many_arguments_as_it_takes():
    rng = random.Random(0)
    config = {"a": 3}
    assert sample_from(lambda: 7).func() == 7
    assert Function(lambda: 7).compute(config, rng) == 7
    assert Function(double).compute(config, rng) == 6
    assert Function(lambda config, rng: rng is not None).compute(config, rng) is True
    assert Function(lambda i=5: i).compute(config, rng) == 5  # the idiom that binds a loop variable
    assert Function(lambda config, i=5: i).compute(config, rng) == 5
    assert Function(functools.partial(lambda x, config: x + config["a"], 1)).compute(config, rng) == 4
    with pytest.raises(SpaceError, match=r"must take \(\), \(config\) or \(config, rng\)"):
        sample_from(lambda a, b, c: 0)


def test_functions_are_known_by_module_and_name():
    assert name_of(double).endswith(":double")
    assert name_of(Lost("m:f")) == "m:f"
    assert name_of(functools.partial(double)).startswith("functools.partial(")


def test_every_domain_comes_back_from_json():
    spec = {
        "a": quniform(0, 1, 0.1),
        "b": [randn(1, 2), {"c": lograndint(1, 9)}],
        "d": choice([[1, 2], {"e": uniform(0, 1), "f": choice(["x", None], weights=[1, 2])}, uniform(0, 1)]),
        "g": grid_search([1, [2], {"h": 3}]),
        "$": "a key of the user's",
        "i": {"$": "dict", "items": {"j": {}}},
        "items": {"k": []},
        "l": {},
    }
    assert decode(json.loads(json.dumps(encode(spec)))) == spec


def test_a_function_comes_back_by_name_and_refuses_to_be_computed():
    again = decode(json.loads(json.dumps(encode(Function(double)))))
    assert repr(again) == repr(Function(double))
    with pytest.raises(SpaceError, match=r"double is a function.*pass param_space= again"):
        again.compute({}, RNG)


def test_texts():
    assert repr(choice(["a", 1], weights=[1, 2])) == "choice(['a', 1], weights=[1.0, 2.0])"
    assert repr(grid_search([1, 2])) == "grid_search([1, 2])"
    assert repr(sample_from(double)).endswith(":double)")
    assert Choice((1, 2)) == choice([1, 2])
    assert Grid((1, 2)) == grid_search((1, 2))
