from __future__ import annotations

import math
import random
from types import SimpleNamespace

import pluggy
import pytest

from microtune import hookspecs
from microtune.answers import Stop, StopRun
from microtune.faults import OptionError
from microtune.objective import Objective
from microtune.stopping import Condition, ExperimentPlateau, Predicate, TrialPlateau, parse_stop
from microtune.trial import COMPLETED, Result, Trial


class House:
    """Rules in a plugin manager, told and asked as the kernel does."""

    def __init__(self, *rules, objective=None):
        self.run = SimpleNamespace(objective=objective or Objective("loss", "min"))
        self.plugins = pluggy.PluginManager(hookspecs.PROJECT)
        self.plugins.add_hookspecs(hookspecs)
        for rule in rules:
            self.plugins.register(rule)
        self.plugins.check_pending()
        self.plugins.hook.setup(run=self.run)
        self.iterations = {}

    def result(self, name, /, **metrics):
        iteration = self.iterations[name] = self.iterations.get(name, 0) + 1
        trial = Trial(name, 0, {}, iteration=iteration)
        result = Result(metrics, iteration, iteration / 10, 0.0)
        self.plugins.hook.on_result(run=self.run, trial=trial, result=result)
        answer = self.plugins.hook.decide(run=self.run, trial=trial, result=result)
        assert answer == self.plugins.hook.decide(run=self.run, trial=trial, result=result)  # it only reads
        return answer

    def results(self, name, values, metric="loss"):
        return [self.result(name, **{metric: value}) for value in values]

    def end(self, name):
        self.plugins.hook.on_end(run=self.run, trial=Trial(name, 0, {}, state=COMPLETED))

    def suggest(self):
        return self.plugins.hook.suggest(run=self.run, rng=random.Random(0))


def stops(stop, metrics, iteration=1):
    [rule] = parse_stop(stop)
    return rule.decide(result=Result(metrics, iteration, 0.5, 0.0))


# --- dict and expression ----------------------------------------------------------------------------------------------


def test_a_dict_stops_at_or_above_a_value_as_in_ray_tune():
    assert stops({"accuracy": 0.9}, {"accuracy": 0.9}) == Stop("accuracy >= 0.9", finished=True)
    assert stops({"accuracy": 0.9}, {"accuracy": 0.89}) is None
    assert stops({"training_iteration": 3}, {}, iteration=2) is None
    assert stops({"training_iteration": 3}, {}, iteration=3) == Stop("training_iteration >= 3", finished=True)
    assert stops({"time_total_s": 0.5}, {}) == Stop("time_total_s >= 0.5", finished=True)
    assert stops({"eval/accuracy": 0.5, "x": 9}, {"eval": {"accuracy": 1}}) == Stop("eval/accuracy >= 0.5", finished=True)


@pytest.mark.parametrize(
    ("text", "metrics", "answer"),
    [
        ("loss < 0.1", {"loss": 0.09}, "loss < 0.1"),
        ("loss < 0.1", {"loss": 0.1}, None),
        ("loss<=.1", {"loss": 0.1}, "loss <= 0.1"),
        ("  eval/top-1.acc  >  9e-1  ", {"eval/top-1.acc": 0.95}, "eval/top-1.acc > 0.9"),
        ("eval/acc >= 1", {"eval": {"acc": 1}}, "eval/acc >= 1"),
        ("phase == -2", {"phase": -2}, "phase == -2"),
        ("x > -inf", {"x": 0}, "x > -inf"),
        ("a > 1 or b > 1", {"b": 2}, "b > 1"),
        ("a > 1 and b > 1", {"a": 2}, None),
        ("a > 1 or b > 1 and c > 1", {"a": 0, "b": 2, "c": 2}, "b > 1 and c > 1"),
        ("a > 1 or b > 1 and c > 1", {"a": 2}, "a > 1"),
        ("done >= 1", {"done": True}, "done >= 1"),
        ("land > 1 and order < 3", {"land": 2, "order": 2}, "land > 1 and order < 3"),
    ],
)
def test_an_expression_stops_when_it_holds(text, metrics, answer):
    assert stops(text, metrics) == (None if answer is None else Stop(answer, finished=True))


@pytest.mark.parametrize("value", [math.nan, None, "0.01", [0.01]])
@pytest.mark.parametrize("stop", ["loss < 0.1", "loss > 0.1", "loss >= 0.1", {"loss": 0}, {"other": 0}])
def test_a_metric_that_is_missing_or_no_number_stops_nothing(stop, value):
    assert stops(stop, {"loss": value}) is None
    assert stops(stop, {}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no comparison"),
        ("loss", "'loss' is no comparison"),
        ("loss < 0.1 or", "is not a number|is no comparison"),
        ("loss < high", "'high' is not a number"),
        ("loss < nan", "'nan' is not a number"),
        ("0.1 > loss", "the metric stands on the left"),
        ("0 < loss < 1", "is no comparison"),
        ("loss = 1", "is no comparison"),
        ("loss != 1", "is no comparison"),
        ("(loss < 1)", "is not a number"),
        ("loss < 1 && x < 2", "is no comparison"),
        ("__import__('os').system('x') < 1 + 1", "is no comparison"),
    ],
)
def test_an_expression_that_is_none_is_refused_with_the_grammar(text, message):
    with pytest.raises(OptionError, match=f"({message}).*write comparisons METRIC < NUMBER"):
        parse_stop(text)


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ({}, "stop is an empty dict"),
        ({"loss": "low"}, "stop has 'loss': 'low'; a dict holds names of metrics and the numbers"),
        ({"loss": None}, "stop has 'loss': None"),
        ({"loss": True}, "stop has 'loss': True"),
        ({"loss": math.nan}, "stop has 'loss': nan"),
        ({3: 1}, "stop has 3: 1"),
        (3, "stop is 3; give a dict"),
        ([0.5], r"stop is 0.5; give a dict"),
        (TrialPlateau, r"stop is the class TrialPlateau; give an instance: TrialPlateau\(\)"),
    ],
)
def test_what_is_no_stop_rule_is_refused(stop, message):
    with pytest.raises(OptionError, match=message):
        parse_stop(stop)


# --- functions, plugins, lists ----------------------------------------------------------------------------------------


def test_a_function_hears_the_trial_and_its_metrics_with_the_counters():
    heard = []

    def fed_up(trial_id, metrics):
        heard.append((trial_id, metrics))
        return metrics["loss"] > 5

    house = House(*parse_stop(fed_up))
    assert house.result("t1", loss=1) is None
    assert house.result("t1", loss=6) == Stop(f"{fed_up.__qualname__} is true", finished=True)
    assert heard[0] == ("t1", {"loss": 1, "training_iteration": 1, "time_total_s": 0.1})


def test_a_list_is_every_rule_in_it():
    plateau = TrialPlateau()
    rules = parse_stop([{"a": 1}, "b < 1", [lambda trial_id, metrics: False, plateau], ()])
    assert [type(rule) for rule in rules] == [Condition, Condition, Predicate, TrialPlateau]
    assert rules[-1] is plateau
    assert parse_stop(None) == parse_stop([]) == []


def test_any_plugin_is_a_rule_even_one_that_can_be_called():
    class Callable(TrialPlateau):
        def __call__(self, trial_id, metrics):
            raise AssertionError("a plugin is not a function")

    plugin = Callable()
    assert parse_stop(plugin) == [plugin]


def test_rules_show_what_they_are():
    assert repr(parse_stop("a<1 and b>2 or c==3")[0]) == "a < 1 and b > 2 or c == 3"
    assert repr(parse_stop(math.isclose)[0]) == "Predicate(isclose)"


# --- a trial's plateau ------------------------------------------------------------------------------------------------


def test_a_trial_that_stays_where_it_is_is_stopped():
    house = House(TrialPlateau(std=0.01, num_results=3, grace_period=0))
    answers = house.results("t", [1, 0.5, 0.50, 0.505])
    assert answers[:3] == [None] * 3
    assert isinstance(answers[3], Stop)
    assert answers[3].reason.startswith("plateau: the last 3 values of loss have a standard deviation of 0.0023")


def test_no_trial_is_stopped_within_its_grace_period():
    house = House(TrialPlateau(num_results=2, grace_period=5))
    assert [answer is None for answer in house.results("t", [1] * 6)] == [True] * 4 + [False] * 2


def test_trials_have_plateaus_of_their_own():
    house = House(TrialPlateau(num_results=2, grace_period=2))
    assert house.result("a", loss=1) is None
    assert house.result("b", loss=1) is None
    assert house.result("a", loss=1) is not None


def test_a_plateau_must_be_as_good_as_the_threshold():
    def last(mode, threshold, value):
        rule = TrialPlateau(num_results=2, grace_period=2, metric_threshold=threshold)
        return House(rule, objective=Objective("loss", mode)).results("t", [value, value])[-1]

    assert last("min", 0.5, 0.6) is None
    assert last("min", 0.5, 0.5) is not None
    assert last("max", 0.5, 0.4) is None
    assert last("max", 0.5, 0.6) is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300, -math.inf])
def test_what_is_not_finite_is_no_plateau_and_no_error(value):
    house = House(TrialPlateau(num_results=3, grace_period=3))
    assert house.results("t", [1, value, 1, 1, 1])[:4] == [None] * 4
    assert House(TrialPlateau(num_results=2, grace_period=2)).results("t", [math.inf, -math.inf])[-1] is None


def test_results_without_the_metric_are_passed_over():
    house = House(TrialPlateau(num_results=2, grace_period=2))
    assert house.result("t", loss=1) is None
    assert house.result("t", other=1) is None
    assert house.result("t", loss="x") is None
    assert house.result("u", other=1) is None
    assert house.result("t", loss=1) is not None


def test_a_trial_plateau_may_follow_another_metric_than_the_runs():
    house = House(TrialPlateau(metric="eval/acc", num_results=2, grace_period=2), objective=Objective(["a", "b"], ["min"] * 2))
    assert house.results("t", [{"acc": 1}, {"acc": 1}], metric="eval")[-1] is not None
    threshold = TrialPlateau(metric="acc", metric_threshold=0.5)
    with pytest.raises(OptionError, match=r"TrialPlateau: metric 'acc' is not one of the run's.*give its mode"):
        House(threshold)
    House(TrialPlateau(metric="acc", metric_threshold=0.5, mode="max"))


def test_nothing_is_kept_of_a_trial_that_is_over():
    trial, experiment = TrialPlateau(), ExperimentPlateau(top=2)
    house = House(trial, experiment)
    for name in map(str, range(20)):
        house.results(name, [1, 2])
        house.end(name)
    house.end("never reported")
    assert not trial._windows
    assert not trial._counts
    assert not experiment._best
    assert len(experiment._scores) == 2


# --- the run's plateau ------------------------------------------------------------------------------------------------


def over(house, name, *losses):
    house.results(name, losses)
    house.end(name)
    return house.suggest()


def test_a_run_whose_best_trials_are_alike_is_ended():
    house = House(ExperimentPlateau(std=0.01, top=3))
    assert over(house, "a", 0.5) is None
    assert over(house, "b", 0.9, 0.5) is None
    assert over(house, "c", 0.7) is None
    answer = over(house, "d", 0.505)
    assert isinstance(answer, StopRun)
    assert answer.reason.startswith("plateau: the 3 best trials have a standard deviation of 0.0023")
    assert house.result("e", loss=0.1) == answer  # a running trial hears it as well


def test_a_slow_trial_counts_once_however_often_it_reports():
    house = House(ExperimentPlateau(top=3))
    assert house.results("slow", [0.5] * 50) == [None] * 50
    house.end("slow")
    assert house.suggest() is None


def test_a_trial_counts_by_its_best_value_and_in_the_runs_mode():
    for mode, sign in (("min", 1), ("max", -1)):
        house = House(ExperimentPlateau(top=2), objective=Objective("loss", mode))
        assert over(house, "a", sign * 0.5, sign * 9) is None
        assert over(house, "b", sign * 7, sign * 0.5, sign * 8) is not None


def test_patience_is_counted_in_trials_and_starts_anew_when_one_is_better():
    house = House(ExperimentPlateau(top=2, patience=2))
    assert [over(house, name, 0.5) is None for name in "abc"] == [True] * 3
    assert over(house, "better", 0.1) is None
    assert [over(house, name, 0.1) is None for name in "defg"] == [True, True, False, False]
    assert over(house, "worse", 9) is not None


def test_trials_without_a_value_do_not_count():
    house = House(ExperimentPlateau(top=2, patience=1))
    over(house, "a", 0.5)
    over(house, "b", 0.5, math.nan)
    for name in "cde":
        assert over(house, name, math.nan) is None
    assert over(house, "infeasible") is None
    assert over(house, "f", 0.9) is not None


def test_an_experiment_plateau_follows_one_metric_with_a_mode():
    with pytest.raises(OptionError, match=r"ExperimentPlateau needs one metric, the run has \['a', 'b'\]"):
        House(ExperimentPlateau(), objective=Objective(["a", "b"], ["min", "max"]))
    with pytest.raises(OptionError, match="metric 'acc' is not one of the run's"):
        House(ExperimentPlateau(metric="acc"))
    with pytest.raises(OptionError, match="mode is 'up'"):
        House(ExperimentPlateau(mode="up"))
    house = House(ExperimentPlateau(metric="b", top=2), objective=Objective(["a", "b"], ["min", "max"]))
    for name, value in (("t", 0.1), ("u", 0.9), ("v", 0.9)):
        house.result(name, b=value)
        house.end(name)
    assert house.suggest() is not None


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (TrialPlateau, {"std": -1}, "TrialPlateau: std is -1; it must be a number, at least 0"),
        (TrialPlateau, {"num_results": 1}, "TrialPlateau: num_results is 1; it must be an integer, at least 2"),
        (TrialPlateau, {"num_results": 2.5}, "num_results is 2.5; it must be an integer"),
        (TrialPlateau, {"grace_period": None}, "grace_period is None; it must be an integer"),
        (TrialPlateau, {"metric_threshold": "x"}, "metric_threshold is 'x'; it must be a number"),
        (ExperimentPlateau, {"std": math.nan}, "ExperimentPlateau: std is nan"),
        (ExperimentPlateau, {"top": 1}, "ExperimentPlateau: top is 1; it must be an integer, at least 2"),
        (ExperimentPlateau, {"patience": -1}, "ExperimentPlateau: patience is -1"),
    ],
)
def test_wrong_options_are_refused(rule, options, message):
    with pytest.raises(OptionError, match=message):
        rule(**options)


def test_replaying_the_tells_alone_gives_the_same_verdicts():
    def rules():
        return TrialPlateau(num_results=2, grace_period=2), ExperimentPlateau(top=3, std=0.2, patience=1)

    r = random.Random(3)
    story = [(f"t{i}", [round(r.random(), 1) for _ in range(3)]) for i in range(30)]
    live = House(*rules())
    for cut in range(len(story)):
        replayed = House(*rules())
        for name, values in story[:cut]:
            for iteration, value in enumerate(values, 1):
                told = Trial(name, 0, {}, iteration=iteration), Result({"loss": value}, iteration, 0.0, 0.0)
                replayed.plugins.hook.on_result(run=replayed.run, trial=told[0], result=told[1])
            replayed.end(name)
        assert replayed.suggest() == live.suggest()
        live.results(*story[cut])
        live.end(story[cut][0])
