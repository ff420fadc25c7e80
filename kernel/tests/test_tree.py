"""Which branch of a conditional choice does a config belong to?"""

from __future__ import annotations

import random

import pytest

from microtune.faults import SpaceError
from microtune.space import Space, choice, randint, sample_from, uniform

OPTIMISERS = Space(
    {
        "opt": choice(
            [
                {"kind": "sgd", "momentum": uniform(0, 1), "nesterov": choice([True, False])},
                {"kind": "adam", "beta": uniform(0.8, 1)},
                {"kind": "lbfgs"},
                None,
                uniform(5, 6),
            ]
        )
    }
)


def branch(space, value):
    return space.flatten({"opt": value})["opt"]


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ({"kind": "sgd", "momentum": 0.3, "nesterov": True}, 0),
        ({"kind": "sgd"}, 0),
        ({"kind": "adam", "momentum": 0.3, "nesterov": True}, 1),  # constants come before keys
        ({"kind": "lbfgs", "momentum": 0.3}, 2),
        ({"momentum": 0.3}, 0),  # then the keys it knows
        ({"beta": 7}, 1),
        ({"beta": 0.9, "kind": "adam"}, 1),
        ({}, 2),  # then the fewest missing
        (None, 3),
        (5.5, 4),
        (100, 4),
    ],
)
def test_a_branch_is_found_by_constants_then_keys(value, index):
    assert branch(OPTIMISERS, value) == index


@pytest.mark.parametrize("value", [{"kind": "rmsprop"}, "adam", [1], {"kind": "sgd", "momentum": "high"}])
def test_a_value_of_no_branch_is_refused_with_the_branches(value):
    with pytest.raises(SpaceError, match=r"config 'opt': .* belongs to none of the branches; allowed: choice\(\[\{'kind'"):
        OPTIMISERS.project({"opt": value}, random.Random(0))


def test_of_branches_with_the_same_keys_the_first_with_all_values_in_bounds_is_taken():
    space = Space({"opt": choice([{"x": uniform(0, 1)}, {"x": uniform(0, 10)}, {"x": uniform(5, 20)}])})
    assert [branch(space, {"x": x}) for x in (0.5, 3, 7, 15, 99)] == [0, 1, 1, 2, 0]


def test_a_constant_is_preferred_to_a_domain_that_holds_it():
    space = Space({"opt": choice([uniform(0, 1), 0, randint(0, 5), False])})
    assert [branch(space, value) for value in (0, 0.5, 3, False, 0.0)] == [1, 0, 2, 3, 1]


def test_lists_and_nested_choices_are_branches_too():
    inner = choice([{"act": "relu"}, {"act": "leaky", "slope": uniform(0, 1)}])
    space = Space({"opt": choice([[uniform(0, 1)], [uniform(0, 1), inner], {"layers": [inner, inner]}])})
    value = {"layers": [{"act": "leaky", "slope": 0.5}, {"act": "relu"}]}
    flat = space.flatten({"opt": value})
    assert flat == {"opt": 2, "opt/2/layers/0": 1, "opt/2/layers/0/1/slope": 0.5, "opt/2/layers/1": 0}
    assert space.assemble(flat) == {"opt": value}
    assert branch(space, [0.5]) == 0
    assert branch(space, [0.5, {"act": "relu"}]) == 1


def test_only_the_parameters_of_the_active_branch_remain():
    config = OPTIMISERS.project({"opt": {"kind": "adam", "beta": 2, "momentum": 0.3, "typo": 1}}, random.Random(0))
    assert config == {"opt": {"kind": "adam", "beta": 1.0}}
    assert not OPTIMISERS.contains({"opt": {"kind": "adam", "beta": 1.0, "momentum": 0.3}})


def test_missing_parameters_of_the_active_branch_are_drawn():
    config = OPTIMISERS.project({"opt": {"kind": "sgd", "momentum": 0.25}}, random.Random(0))
    assert config["opt"].pop("nesterov") in (True, False)
    assert config == {"opt": {"kind": "sgd", "momentum": 0.25}}


def test_a_function_may_be_a_branch_or_in_one():
    branches = [{"b": sample_from(lambda config: config["a"] + 1)}, sample_from(lambda config: -config["a"])]
    space = Space({"a": randint(1, 5), "opt": choice(branches)})
    seen = set()
    for seed in range(30):
        config = space.sample(random.Random(seed))
        seen.add(type(config["opt"]))
        assert config["opt"] in ({"b": config["a"] + 1}, -config["a"])
        assert space.contains(config)
        assert space.project(config, random.Random(1)) == config
    assert seen == {dict, int}


def test_branches_are_drawn_by_their_weights():
    space = Space({"opt": choice([{"a": uniform(0, 1)}, {"b": uniform(0, 1)}], weights=[0, 1])})
    assert all("b" in space.sample(random.Random(seed))["opt"] for seed in range(50))
