"""The space that is made of configs, against spaces that they were drawn from."""

from __future__ import annotations

import random

import pytest

import microtune as mt
from microtune_convert_ray_tune.observed import observed_space


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("domain", "log"),
    [
        (mt.uniform(0, 1), False), (mt.loguniform(1e-5, 1e-1), True), (mt.randint(1, 100), False),
        (mt.lograndint(1, 10**6), True),
    ],
)  # fmt: skip
def test_a_range_is_as_wide_as_what_was_seen_and_logarithmic_where_it_was(domain, log, seed):
    rng = random.Random(seed)
    values = [domain.sample(rng) for _ in range(50)]
    found = observed_space([{"p": value} for value in values])["p"]
    assert (found.lower, found.upper, found.log) == (min(values), max(values), log)
    assert type(found) is type(domain)


def test_what_all_agree_on_is_a_constant_and_what_is_no_number_a_choice():
    configs = [{"a": 1, "b": {"c": c, "d": d}} for c, d in (("x", [1, 2]), ("y", [1, 2]), ("x", [3]))]
    assert mt.Space(observed_space(configs)) == mt.Space(
        {"a": 1, "b": {"c": mt.choice(["x", "y"]), "d": mt.choice([[1, 2], [3]])}}
    )


def test_a_key_that_not_all_have_is_undeclared_and_allowed():
    configs = [{"a": 1, "b": 2.0}, {"a": 2}]
    space = mt.Space(observed_space(configs))
    assert [parameter.name for parameter in space.parameters()] == ["a"]
    assert all(map(space.contains, configs))


def test_values_of_several_kinds_are_a_choice():
    assert observed_space([{"a": None}, {"a": 0.5}, {"a": True}])["a"] == mt.choice([None, 0.5, True])


def test_no_configs_make_no_space():
    assert observed_space([]) == {}
