from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest

from microtune.faults import OptionError
from microtune.options import REQUIRED, check, format_choice, options_of, parse_choice

if TYPE_CHECKING:
    from somewhere import OnlyForTypeCheckers


class Halving:
    """Successive halving, for the tests.

    max_t: the resource at which a trial is complete,
        in iterations.
    `factor`: how many trials share one promotion
    """

    def __init__(
        self,
        *,
        max_t: int,
        factor: float = 4,
        variant: Literal["stopping", "promotion"] = "stopping",
        rungs: list[int] | None = None,
        weights: dict[str, float] | None = None,
        bounds: tuple[float, float] = (0, 1),
        tag: str | None = None,
        verbose: bool = False,
        key: Callable[[Any], Any] | None = None,
        odd: OnlyForTypeCheckers | None = None,
    ) -> None: ...


class Repeat:
    def __init__(self, inner: object, *, times: int = 3) -> None: ...


class Plain:
    pass


class Open:
    def __init__(self, *, seed: int = 0, **more: Any) -> None: ...


def test_the_options_are_the_keyword_only_arguments_with_their_defaults_and_doc_lines() -> None:
    options = options_of(Halving)
    assert list(options)[:3] == ["max_t", "factor", "variant"]
    assert options["max_t"].required
    assert options["max_t"].default is REQUIRED
    assert options["max_t"].annotation == "int"
    assert options["max_t"].doc == "the resource at which a trial is complete, in iterations."
    assert options["factor"].default == 4
    assert options["factor"].doc == "how many trials share one promotion"
    assert options["variant"].doc == ""


def test_what_a_modifier_stands_in_front_of_is_not_an_option() -> None:
    assert list(options_of(Repeat)) == ["times"]


def test_a_class_without_a_constructor_has_no_options() -> None:
    assert options_of(Plain) == {}
    with pytest.raises(OptionError, match=r"searcher 'plain' has no option 'x'; it has no options"):
        check(Plain, {"x": 1}, "searcher 'plain'")


def test_an_unknown_option_is_an_error_that_lists_the_real_ones_and_the_nearest() -> None:
    with pytest.raises(OptionError) as caught:
        check(Halving, {"max_tt": 3}, "scheduler 'halving'")
    assert str(caught.value).startswith(
        "scheduler 'halving' has no option 'max_tt' (did you mean 'max_t'?); its options are max_t, "
    )


def test_a_class_that_takes_any_keyword_may_be_given_any() -> None:
    assert check(Open, {"seed": 1, "other": 2}, "searcher 'open'") == {"seed": 1, "other": 2}


def test_a_missing_option_is_an_error_that_says_how_to_give_it() -> None:
    with pytest.raises(OptionError, match=r"scheduler 'halving' needs the option 'max_t' \(int\).*give max_t=VALUE"):
        check(Halving, {}, "scheduler 'halving'")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_t", "ten"), ("max_t", 1.5), ("max_t", True), ("max_t", None), ("max_t", math.inf), ("factor", "4"),
        ("variant", "stoping"), ("variant", 1), ("rungs", [1, "2"]), ("rungs", 3), ("weights", {"a": "b"}), ("weights", [1]),
        ("bounds", [1, 2, 3]), ("verbose", 1), ("verbose", "yes"), ("tag", 3),
    ],
)  # fmt: skip
def test_a_wrong_type_is_an_error_that_names_the_option_the_value_and_the_annotation(name: str, value: Any) -> None:
    with pytest.raises(OptionError) as caught:
        check(Halving, {"max_t": 1, name: value}, "scheduler 'halving'")
    message = str(caught.value)
    assert message.startswith(f"scheduler 'halving': the option {name!r} is {value!r}")
    assert options_of(Halving)[name].annotation in message


def test_a_number_for_a_text_is_told_how_to_be_quoted() -> None:
    with pytest.raises(OptionError, match="put it in double quotes"):
        check(Halving, {"max_t": 1, "tag": 1.10}, "scheduler 'halving'")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("max_t", 1e3, 1000), ("factor", 3, 3), ("factor", "inf", math.inf), ("variant", "promotion", "promotion"),
        ("rungs", [1, 2], [1, 2]), ("rungs", None, None), ("rungs", "None", None), ("tag", "None", None), ("tag", "a", "a"),
        ("bounds", [0, 5], (0, 5)), ("weights", {"a": 1}, {"a": 1}), ("verbose", "True", True), ("verbose", False, False),
        ("key", len, len), ("odd", 7, 7),
    ],
)  # fmt: skip
def test_what_fits_is_taken_as_the_annotation_wants_it(name: str, value: Any, wanted: Any) -> None:
    taken = check(Halving, {"max_t": 1, name: value}, "scheduler 'halving'")[name]
    assert taken == wanted
    assert type(taken) is type(wanted)


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("asha", "asha", {}),
        ("asha:max_t=10,factor=2.5", "asha", {"max_t": 10, "factor": 2.5}),
        ("optuna:sampler=cmaes", "optuna", {"sampler": "cmaes"}),
        ("optuna: sampler = cmaes , n = 3", "optuna", {"sampler": "cmaes", "n": 3}),
        ("my.package.Class", "my.package.Class", {}),
        ("my.package.Class:a=true,b=null", "my.package.Class", {"a": True, "b": None}),
        ('x:list=[1,2],map={"a":{"b":1},"c":2}', "x", {"list": [1, 2], "map": {"a": {"b": 1}, "c": 2}}),
        ("x:text=f(a,b),n=1", "x", {"text": "f(a,b)", "n": 1}),
        ('x:a="1,2",b="[",c="say \\"hi\\", you"', "x", {"a": "1,2", "b": "[", "c": 'say "hi", you'}),
        ('resources:base="asha:max_t=10,brackets=2"', "resources", {"base": "asha:max_t=10,brackets=2"}),
        ("x:url=http://host:80/a=b", "x", {"url": "http://host:80/a=b"}),
        ('x:text=""', "x", {"text": ""}),
    ],
)  # fmt: skip
def test_a_choice_is_split_at_the_first_colon_and_at_the_commas_outside_brackets_and_quotes(
    text: str, name: str, options: dict[str, Any]
) -> None:
    assert parse_choice(text) == (name, options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no plugin"),
        (":a=1", "names no plugin"),
        ("asha:", "a colon and no option after it"),
        ("asha:max_t", "'max_t' is not an option: write max_t=value"),
        ("asha:max_t=1,", "'' is not an option"),
        ("asha:=3", "no option's name before '=3'"),
        ("asha:max_t=", "has no value"),
        ("asha:max_t=1,max_t=2", "'max_t' twice"),
        ('asha:tag="a', "double quotes do not match"),
        ("asha:rungs=[1,2", "brackets do not match"),
        ("asha:rungs=1]", "brackets do not match"),
    ],
)
def test_a_choice_that_cannot_be_read_is_a_clear_error(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_choice(text)
    assert message in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        0, -1, 1.5, 1e-7, True, None, "cmaes", "", " edge ", "10", "true", "null", "a,b", "a=b", "a:b", '"', "\\", 'say "x", y',
        "[", "é ☃", "it's", "line\nbreak", [1, [2, "a,b"]], {"a": {"b": [None, "]"]}}, [], {}, "asha:max_t=10,brackets=2",
    ],
)  # fmt: skip
def test_formatting_and_parsing_a_choice_are_inverse(value: Any) -> None:
    options = {"x": value, "y": 1}
    assert parse_choice(format_choice("name", options)) == ("name", options)


def test_a_choice_nests_to_any_depth() -> None:
    inner = format_choice("asha", {"max_t": 10, "rungs": [1, 2]})
    middle = format_choice("resources", {"base": inner, "grow": "a,b"})
    name, options = parse_choice(format_choice("outer", {"base": middle}))
    assert name == "outer"
    assert parse_choice(parse_choice(options["base"])[1]["base"]) == ("asha", {"max_t": 10, "rungs": [1, 2]})


def test_what_is_not_plain_cannot_be_formatted() -> None:
    with pytest.raises(OptionError, match="cannot be written as text"):
        format_choice("x", {"a": object()})


Speed = Literal["fast", "slow"]


class Named:
    def __init__(self, *, speed: Speed = "fast") -> None: ...


def test_choices_under_a_name_of_their_own_are_spelled_out() -> None:
    assert options_of(Named)["speed"].annotation == "Literal['fast', 'slow']"
    with pytest.raises(OptionError, match=r"speed.*'medium'.*'fast', 'slow'"):
        check(Named, {"speed": "medium"}, "searcher 'named'")
