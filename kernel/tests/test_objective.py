from __future__ import annotations

import json
import math
import random

import pytest

from microtune.faults import OptionError
from microtune.objective import Objective
from microtune.trial import Result

ACCURACY = Objective("accuracy", "max")
LOSS = Objective("eval/loss", "min")
BOTH = Objective(["loss", "size"], ["min", "max"])


def result(metrics, iteration=1):
    return Result(metrics, iteration, 2.5, 0.0)


def test_a_score_is_bigger_where_the_result_is_better():
    assert ACCURACY.score({"accuracy": 0.75}) == 0.75
    assert LOSS.score({"eval": {"loss": 0.75}}) == -0.75
    assert LOSS.score({"eval/loss": 3}) == -3
    assert BOTH.scores({"loss": 1, "size": 2}) == (-1, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "0.9", True, [1], 10**400, -(10**400)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_no_finite_number_ranks_worst_in_either_mode(value, mode):
    objective = Objective("x", mode)
    assert objective.score({"x": value}) == -math.inf
    assert objective.score(result({"x": value})) == -math.inf
    assert objective.scores({"x": value}) == (-math.inf,)
    assert objective.better({"x": -1e300 if mode == "max" else 1e300}, {"x": value})
    assert not objective.better({"x": value}, {"x": value})


def test_a_missing_metric_ranks_worst():
    assert ACCURACY.score({}) == -math.inf
    assert LOSS.score({"eval": 3}) == -math.inf
    assert BOTH.scores({"size": 1}) == (-math.inf, 1)


def test_results_and_their_counters_are_understood():
    assert ACCURACY.score(result({"accuracy": 0.5})) == 0.5
    assert Objective("training_iteration", "max").score(result({}, 7)) == 7
    assert Objective("time_total_s", "min").score(result({})) == -2.5


def test_a_value_is_told_as_it_was_reported():
    assert LOSS.value({"eval/loss": 3}) == 3.0
    assert LOSS.value({"eval/loss": math.inf}) == math.inf
    assert math.isnan(LOSS.value({"eval/loss": math.nan}))
    assert LOSS.value({}) is LOSS.value({"eval/loss": "x"}) is LOSS.value({"eval/loss": True}) is None


def test_a_metric_is_there_whatever_its_value():
    assert ACCURACY.has({"accuracy": None})
    assert LOSS.has(result({"eval": {"loss": math.nan}}))
    assert not ACCURACY.has({})
    assert BOTH.has({"loss": 1, "size": 2})
    assert not BOTH.has({"loss": 1})


def test_better_compares_the_first_metric():
    assert LOSS.better({"eval/loss": 1}, {"eval/loss": 2})
    assert not LOSS.better({"eval/loss": 2}, {"eval/loss": 2})
    assert BOTH.better({"loss": 1, "size": 0}, {"loss": 2, "size": 9})


def test_dominance_is_in_no_metric_worse_and_in_one_better():
    a, b, c = {"loss": 1, "size": 2}, {"loss": 1, "size": 1}, {"loss": 0, "size": 1}
    assert BOTH.dominates(a, b)
    assert not BOTH.dominates(b, a)
    assert not BOTH.dominates(a, a)
    assert not BOTH.dominates(a, c)
    assert not BOTH.dominates(c, a)
    assert BOTH.dominates(b, {"loss": 1})


def test_the_pareto_front_is_what_nothing_dominates():
    r = random.Random(7)
    for metrics, modes in ((["a", "b"], ["min", "max"]), (["a", "b", "c"], ["max", "max", "min"])):
        objective = Objective(metrics, modes)
        for _ in range(50):
            points = [{m: r.choice([1, 2, 3, 4, 5, math.nan]) for m in metrics} for _ in range(r.randint(1, 30))]
            expected = [
                i
                for i, p in enumerate(points)
                if not all(math.isnan(value) for value in p.values()) and not any(objective.dominates(q, p) for q in points)
            ]
            assert objective.pareto(points) == expected


def test_the_front_of_one_metric_are_all_the_best():
    points = [{"accuracy": value} for value in (0.1, 0.9, math.nan, 0.9, 0.3)]
    assert ACCURACY.pareto(points) == [1, 3]
    assert ACCURACY.pareto([{}, {"accuracy": math.nan}]) == []
    assert ACCURACY.pareto([]) == []


def test_one_who_needs_one_metric_says_who():
    assert ACCURACY.single("asha") is ACCURACY
    with pytest.raises(OptionError, match=r"asha needs one metric, the run has \['loss', 'size'\]"):
        BOTH.single("asha")


@pytest.mark.parametrize(
    ("metric", "mode", "message"),
    [
        ("a", "maximum", "mode is 'maximum'; it must be 'min' or 'max'"),
        ("a", None, "mode is None; it must be a string"),
        (None, "min", "metric is None; it must be a string"),
        ("", "min", "metric is ''; it must be a string"),
        ([], [], r"metric is \[\]; it must be a string"),
        (["a", 1], ["min", "min"], r"metric is \['a', 1\]"),
        (["a", "b"], "min", r"2 metrics \['a', 'b'\] and 1 modes \['min'\]; give one mode for each"),
        (["a", "a"], ["min", "max"], "name each metric once"),
    ],
)
def test_a_wrong_objective_is_refused(metric, mode, message):
    with pytest.raises(OptionError, match=message):
        Objective(metric, mode)


def test_an_objective_comes_back_from_json():
    for objective in (ACCURACY, BOTH):
        assert Objective.from_json(json.loads(json.dumps(objective.to_json()))) == objective
    assert ACCURACY != BOTH
    assert len({ACCURACY, Objective("accuracy", "max"), BOTH}) == 2
    assert repr(BOTH) == "Objective(['loss', 'size'], ['min', 'max'])"
