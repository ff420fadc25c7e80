from __future__ import annotations

import random

import pytest

from microtune import OptionError, Space, choice, loguniform, qlograndint, qrandn, quniform, randint, randn, uniform
from microtune.testing.spaces import SPACES
from microtune_search_ax.dimensions import Dimensions
from microtune_search_ax.expressions import translated


def ax_name(dimensions, name):
    return dimensions.by_name[name].name


@pytest.mark.parametrize("name", [name for name in SPACES if name != "large integers"])
def test_a_config_comes_back_from_ax_as_it_went(name):
    space = Space(SPACES[name])
    dimensions = Dimensions(space)
    rng = random.Random(1)
    for _ in range(50):
        config = space.sample(rng)
        back = space.project(dimensions.from_ax(dimensions.to_ax(config)), random.Random(0))
        flat, expected = space.flatten(back), space.flatten(config)
        assert flat.keys() == expected.keys()
        for key, value in expected.items():
            assert flat[key] == (pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value)


def test_a_large_integer_loses_what_a_float_cannot_hold_and_nothing_more():
    space = Space({"x": randint(2**53, 2**60)})
    dimensions = Dimensions(space)
    value = 2**59 + 12_345
    assert dimensions.from_ax(dimensions.to_ax({"x": value}))["x"] == int(float(value))


def test_quantised_values_are_the_numbers_of_their_quanta():
    dimensions = Dimensions(Space({"a": quniform(0.1, 1, 0.1), "b": qlograndint(10, 1000, 10)}))
    assert list(dimensions.to_ax({"a": 0.3, "b": 250}).values()) == [3, 25]
    assert dimensions.size == 10 * 100


def test_a_normal_parameter_is_its_quantile_so_that_the_likely_is_in_the_middle():
    dimensions = Dimensions(Space({"x": randn(10, 2), "q": qrandn(0, 1, 0.5)}))
    assert list(dimensions.to_ax({"x": 10.0, "q": 0.0}).values()) == pytest.approx([0.5, 0.5])
    assert 0 < dimensions.to_ax({"x": -1e9, "q": 0.0})[ax_name(dimensions, "x")] < 1e-4


def test_ax_gets_identifiers_whatever_the_parameters_are_called():
    names = [dimension.name for dimension in Dimensions(Space(SPACES["odd names"])).by_name.values()]
    assert len(set(names)) == len(names) == 7
    assert all(name.isidentifier() and name.isascii() for name in names)


def test_what_has_one_value_is_no_dimension():
    space = Space({"x": choice([3]), "y": randint(4, 5), "z": choice([{"w": uniform(0, 1)}])})
    dimensions = Dimensions(space)
    assert [*dimensions.by_name] == ["z/0/w"]
    config = space.project(dimensions.from_ax({ax_name(dimensions, "z/0/w"): 0.5}), random.Random(0))
    assert config == {"x": 3, "y": 4, "z": {"w": 0.5}}


def test_what_is_in_a_single_branch_depends_on_what_that_branch_depends_on():
    space = Space({"outer": choice([{"inner": choice([{"w": uniform(0, 1)}])}, "none"])})
    dimensions = Dimensions(space)
    assert dimensions.by_name["outer"].dependents == {0: [ax_name(dimensions, "outer/0/inner/0/w")]}
    assert dimensions.to_ax({"outer": "none"}) == {ax_name(dimensions, "outer"): 1}


def test_numbers_to_choose_from_are_ordered_and_words_are_not():
    dimensions = Dimensions(Space({"n": choice([64, 16, 32]), "w": choice(["b", "a", "c"])}))
    assert [dimension.ordered for dimension in dimensions.by_name.values()] == [True, False]
    assert list(dimensions.to_ax({"n": 16, "w": "b"}).values()) == [0, 0]


def test_what_is_never_drawn_is_never_proposed_and_ax_knows_no_such_point():
    space = Space({"x": choice(["a", {"y": uniform(0, 1)}, {"z": uniform(0, 1)}], weights=[1, 0, 2])})
    dimensions = Dimensions(space)
    assert [*dimensions.by_name] == ["x", "x/2/z"]
    assert dimensions.to_ax({"x": {"y": 0.5}}) is None
    assert dimensions.from_ax({ax_name(dimensions, "x"): 1, ax_name(dimensions, "x/2/z"): 0.5}) == {"x": {"z": 0.5}}


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ({"a": randint(0, 3), "b": choice(["x", "y", "z"])}, 9),
        (
            {
                "a": choice([{"b": randint(0, 3), "c": choice([1, 2])}, {"d": randint(0, 5)}, "none"]),
                "e": randint(0, 2),
            },
            24,
        ),
        ({"a": choice(["x", "y", "z"], weights=[1, 0, 1])}, 2),
        ({"a": randint(0, 3), "b": uniform(0, 1)}, None),
    ],
)
def test_a_finite_space_has_a_number_of_points(spec, size):
    assert Dimensions(Space(spec)).size == size


# --- constraints in the user's names ---------------------------------------------------------------------------------


CONSTRAINED = {
    "x": uniform(0, 1), "xy": uniform(0, 1), "net": {"lr": uniform(0, 1), "the width": quniform(0, 10, 0.5)},
    "log": loguniform(1e-4, 1), "kind": choice(["a", "b", "c"]),
}  # fmt: skip


def in_ax(expression):
    dimensions = Dimensions(Space(CONSTRAINED))
    return translated(expression, dimensions.by_name, dimensions.term)


def test_a_constraint_names_parameters_as_the_space_does():
    assert in_ax("x + 1.5e-1*xy <= 1") == "p0_x + 1.5e-1*p1_xy <= 1"
    assert in_ax("2*net/lr >= net/the width") == "2*p2_net_lr >= (0 + 0.5*p3_net_the_width)"


@pytest.mark.parametrize(
    ("expression", "why"),
    [("log <= 0.1", "log scale"), ("x + kind <= 1", "is a choice"), ("x + z <= 1", r"'z'.*\['x', 'xy'")],
)
def test_a_constraint_that_ax_cannot_keep_is_refused_with_the_reason(expression, why):
    with pytest.raises(OptionError, match=why):
        in_ax(expression)
