from __future__ import annotations

import enum
import math

import pytest

from microtune.faults import SpaceError
from microtune.plain import Unfit, canonical, copied, is_plain, number, plain


class Scalar:
    """Stands in for numpy's and torch's scalars, which the kernel does not import."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


class Vector(Scalar):
    shape = (1,)


def test_tuples_become_lists_and_foreign_scalars_become_python_numbers():
    given = {"a": (1, (2.5, None)), "b": Scalar(3), "c": [Scalar(True), Scalar("x")]}
    assert plain(given) == {"a": [1, [2.5, None]], "b": 3, "c": [True, "x"]}
    assert type(plain(Scalar(3))) is int


def test_subclasses_of_the_json_types_become_those_types():
    class Size(enum.IntEnum):
        SMALL = 8

    class Name(str):
        pass

    class Real(float):
        pass

    for given, kind in ((Size.SMALL, int), (Name("x"), str), (Real(0.5), float)):
        assert type(plain(given)) is kind
        assert plain(given) == given
        assert not is_plain(given)


def test_what_is_not_json_is_refused_with_its_place_and_a_remedy():
    with pytest.raises(SpaceError, match=r"at 'model/1/fn': .*function.*pass a name and look the object up"):
        plain({"model": [0, {"fn": lambda: 0}]})
    with pytest.raises(Unfit, match="Vector"):
        plain(Vector(1))


def test_a_key_that_is_not_a_string_is_refused():
    with pytest.raises(Unfit, match="the key 1 is not a string"):
        plain({1: 2})


def test_nan_is_refused_and_infinity_is_not():
    with pytest.raises(Unfit, match="at '0': NaN"):
        plain([math.nan])
    assert plain([math.inf]) == [math.inf]
    assert not is_plain([math.nan])


def test_a_copy_shares_no_container():
    value = {"a": [[1], {"b": []}]}
    for copy in (copied(value), plain(value)):
        copy["a"][0].append(2)
        copy["a"][1]["b"].append(3)
    assert value == {"a": [[1], {"b": []}]}


def test_a_bool_equals_no_number_and_an_integer_its_float():
    assert canonical(1) == canonical(1.0) != canonical(True)
    assert canonical([1, {"a": True}]) == canonical([1.0, {"a": True}]) != canonical([1, {"a": 1}])
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical([]) != canonical({})


@pytest.mark.parametrize("value", [None, "1", True, [1], Scalar(True), Scalar("1")])
def test_what_is_no_number_is_not_taken_for_one(value):
    with pytest.raises(Unfit, match="is not a number"):
        number(value)


def test_a_foreign_number_becomes_pythons():
    assert type(number(Scalar(2))) is int
    assert type(number(Scalar(2.0))) is float
