"""What a trial measured, as plain data."""

from __future__ import annotations

import math
import re

import pytest

from microtune.metrics import as_metrics, plain_metrics


class Scalar:
    """What numpy's scalars and arrays look like."""

    def __init__(self, value, size=1):
        self.value, self.size = value, size

    def item(self):
        return self.value


class Tensor:
    """What torch's tensors look like: `size` is a method."""

    def __init__(self, value, count=1):
        self.value, self.count = value, count

    def numel(self):
        return self.count

    def size(self):
        return (self.count,)

    def item(self):
        return self.value


class Long(Scalar):
    """numpy's longdouble: its item is one of its own kind."""

    def item(self):
        return self

    def __float__(self):
        return self.value


def test_scalars_of_numpy_and_torch_become_plain_numbers():
    class Ratio(float):
        pass

    nested = {"a": [Scalar(1), (2, Tensor(0.5))], "b": None, "c": True, "d": "text"}
    reported = {"loss": Scalar(0.25), "other": Tensor(3), "long": Long(0.5), "ratio": Ratio(0.75), "nested": nested}
    metrics = plain_metrics(reported)
    assert metrics == {
        "loss": 0.25, "other": 3, "long": 0.5, "ratio": 0.75, "nested": {"a": [1, [2, 0.5]], "b": None, "c": True, "d": "text"},
    }  # fmt: skip
    assert {type(metrics[key]) for key in ("loss", "long", "ratio")} == {float}


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"other": Scalar([1, 2], size=2)}, "metric 'other' is a Scalar: report numbers, strings, booleans, lists or dicts"),
        ({"other": Tensor([1, 2], count=2)}, "metric 'other' is a Tensor: report numbers"),
        ({"other": 1j}, "metric 'other' is a complex"),
        ({"nested": {"a": [1, object()]}}, "metric 'nested/a/1' is a object"),
        ({"nested": {1: 2}}, "metric 'nested' is a dict whose keys are not all strings"),
        ({1: 2}, "the name of a metric is a string, not 1"),
        ({"training_iteration": 5}, "'training_iteration' is counted by microtune: report it under another name"),
        ({"time_total_s": 5}, "'time_total_s' is counted by microtune"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_name(metrics, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        plain_metrics(metrics)


@pytest.mark.parametrize(
    ("value", "told"),
    [("low", "'low' (str)"), (None, "None (NoneType)"), (True, "True (bool)"), (Scalar("low"), "'low' (str)")],
)
@pytest.mark.parametrize("objective", ["loss", "eval/loss"])
def test_the_objective_must_be_a_number(value, told, objective):
    metrics = {"loss": value} if objective == "loss" else {"eval": {"loss": value}}
    message = f"metric {objective!r} is {told}, not a number: it is the run's objective; report float('nan') where"
    with pytest.raises(TypeError, match=re.escape(message)):
        plain_metrics(metrics, (objective,))


def test_nan_and_infinity_are_numbers():
    assert math.isnan(plain_metrics({"loss": math.nan}, ("loss",))["loss"])
    assert plain_metrics({"loss": -math.inf}, ("loss",)) == {"loss": -math.inf}


def test_the_objective_may_be_left_out():
    assert plain_metrics({"other": 1}, ("loss", "eval/accuracy")) == {"other": 1}


def test_what_is_kept_shares_nothing_with_what_was_reported():
    reported = {"loss": 1, "inner": {"n": [1]}}
    kept = plain_metrics(reported)
    reported["inner"]["n"].append(2)
    assert kept == {"loss": 1, "inner": {"n": [1]}}


def test_a_value_alone_is_the_only_objective():
    assert as_metrics(0.5, ("loss",), "returned") == {"loss": 0.5}
    assert as_metrics({"other": 1}, ("loss", "size"), "returned") == {"other": 1}
    with pytest.raises(TypeError, match="the trainable yielded 3; with 2 metrics in the objective it must be a dict"):
        as_metrics(3, ("loss", "size"), "yielded")
