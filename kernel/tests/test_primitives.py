from __future__ import annotations

import math

import pytest

from microtune.faults import OptionError, SpaceError
from microtune.space import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform(1, 0), "uniform: lower is 1.0 and upper 0.0.*exchange them"),
        (lambda: uniform(1, 1), "uniform: .*for a constant write the value itself"),
        (lambda: uniform("0", 1), "uniform: lower is '0'; it must be a number"),
        (lambda: uniform(0, None), "uniform: upper is None; it must be a number"),
        (lambda: uniform(math.nan, 1), "uniform: lower is nan; it must be a finite number"),
        (lambda: uniform(0, math.inf), "uniform: upper is inf; it must be a finite number"),
        (lambda: uniform(0, 10**400), "uniform: upper is 1000.*; it must be a finite number"),
        (lambda: uniform(-1e308, 1e308), "uniform: upper - lower overflows"),
        (lambda: loguniform(0, 1), "loguniform: lower is 0.0, which has no logarithm; it must be above zero"),
        (lambda: loguniform(-1, 1), "loguniform: lower is -1.0, which has no logarithm"),
        (lambda: quniform(0, 1, 0.3), "quniform: q=0.3 does not divide upper=1.0"),
        (lambda: quniform(0.05, 1, 0.1), "quniform: q=0.1 does not divide lower=0.05"),
        (lambda: quniform(0, 1, 2), "quniform: q=2 does not divide upper=1.0"),
        (lambda: quniform(0, 1, 0), "quniform: q is 0; it must be above zero"),
        (lambda: quniform(0, 1, -0.1), "quniform: q is -0.1; it must be above zero"),
        (lambda: quniform(0, 1e308, 5e-324), "quniform: q=5e-324 does not divide"),
        (lambda: qloguniform(1e-12, 1, 1), "qloguniform: q=1 does not divide lower=1e-12"),
        (lambda: qloguniform(0, 1, 0.1), "qloguniform: lower is 0.0, which has no logarithm"),
        (lambda: randn(0, 0), "randn: sd is 0; it must be above zero"),
        (lambda: randn(math.nan), "randn: mean is nan"),
        (lambda: qrandn(0, 1, 0), "qrandn: q is 0; it must be above zero"),
        (lambda: randint(0, 0), "randint: lower is 0 and upper 0.*upper is excluded"),
        (lambda: randint(3, 2), "randint: .*exchange them"),
        (lambda: randint(0.5, 2), "randint: lower is 0.5; it must be an integer"),
        (lambda: randint(True, 2), "randint: lower is True; it must be a number"),
        (lambda: qrandint(1, 4, 5), "qrandint: no multiple of q=5 lies between 1 and 4"),
        (lambda: qrandint(0, 4, 0), "qrandint: q is 0; it must be at least 1"),
        (lambda: qrandint(0, 4, 1.5), "qrandint: q is 1.5; it must be an integer"),
        (lambda: lograndint(0, 4), "lograndint: lower is 0, which has no logarithm"),
        (lambda: qlograndint(0, 4, 2), "qlograndint: lower is 0, which has no logarithm"),
        (lambda: choice([]), "choice: categories is empty"),
        (lambda: choice("abc"), "choice: categories is 'abc'; it must be a list"),
        (lambda: choice(3), "choice: categories is 3; it must be a list"),
        (lambda: choice({"a", "b"}), "choice: categories is .*; it must be a list"),
        (lambda: choice([1, 2], weights=[1]), "choice: weights has 1 items and categories 2"),
        (lambda: choice([1, 2], weights=[1, -1]), "choice: weights is .*not negative"),
        (lambda: choice([1, 2], weights=[0, 0]), "choice: weights is .*one at least is above zero"),
        (lambda: choice([1, 2], weights=["a", 1]), "choice: weights is 'a'; it must be a number"),
        (lambda: choice([1, 2], weights=3), "choice: weights is 3; it must be a list"),
        (lambda: choice([math, 1]), "choice: categories at '0': .*module.*pass a name"),
        (lambda: choice([1, {"f": [print]}]), "choice: categories at '1/f/0': .*builtin_function.*pass a name"),
        (lambda: choice([math.nan]), "choice: categories at '0': NaN"),
        (lambda: grid_search([]), "grid_search: values is empty"),
        (lambda: grid_search([1, [uniform(0, 1)]]), "grid_search: values holds a domain.*use choice"),
        (lambda: sample_from(3), "sample_from: func is 3, which cannot be called"),
    ],
)
def test_a_wrong_argument_is_named_with_its_function(call, message):
    with pytest.raises(SpaceError, match=message) as caught:
        call()
    assert isinstance(caught.value, (OptionError, ValueError))


def test_whole_floats_are_integers():
    assert randint(0, 1e3) == randint(0, 1000)


def test_quantised_ranges_may_be_a_single_point():
    assert quniform(0.5, 0.5, 0.5).size == qrandint(2, 3, 2).size == 1


def test_any_ordered_iterable_gives_categories():
    assert choice(range(3)) == choice((0, 1, 2)) == choice(i for i in range(3))
    assert choice({"a": 1}.keys()).categories == ("a",)
