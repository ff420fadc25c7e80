from __future__ import annotations

import math
import random

import optuna
import pytest
from optuna.trial import TrialState

from microtune import choice, quniform, randint, randn, uniform

# --- what Optuna is told ---------------------------------------------------------------------------------------------


def test_a_completed_trial_is_told_with_its_last_value(search):
    s = search()
    one = s.start()
    s.report(one, 1, loss=0.5)
    s.report(one, 2, loss=0.7)
    s.report(one, 3, something_else=1)
    s.end(one)
    assert s[one].state == TrialState.COMPLETE
    assert s[one].value == 0.7
    assert s[one].intermediate_values == {1: 0.5, 2: 0.7}


def test_a_trial_that_is_stopped_before_others_is_told_as_pruned(search):
    s = search()
    one, two = s.start(), s.start()
    for t in range(1, 6):
        s.report(one, t, loss=1 / t)
    s.report(two, 3, loss=9.0)
    s.end(two, "STOPPED")
    s.end(one)
    assert s.states == ["COMPLETE", "PRUNED"]
    assert s[two].intermediate_values == {3: 9.0}


def test_a_trial_that_was_stopped_when_it_had_all_of_its_training_is_complete(search):
    s = search()
    one, two = s.start(), s.start()
    s.report(one, 3, loss=1.0)
    s.end(one, "STOPPED", "loss <= 1", finished=True)
    s.report(two, 4, loss=math.nan)
    s.end(two, "STOPPED", "training_iteration >= 4", finished=True)
    assert s.states == ["COMPLETE", "FAIL"]
    assert s[one].value == 1.0


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, "low", None])
def test_a_value_that_is_no_number_is_told_as_a_failure(loss, search):
    s = search()
    s.one(loss="low" if loss is None else loss)
    assert s.states == ["FAIL"]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_infinity_is_no_good_value_on_the_way_either(mode, search, facts):
    s = search(facts(mode=mode))
    one = s.start()
    s.report(one, 1, loss=math.inf if mode == "max" else -math.inf)
    assert math.isnan(s[one].intermediate_values[1])


def test_a_failed_or_lost_trial_is_told_as_a_failure_whatever_it_reported(search):
    s = search()
    one, two = s.start(), s.start()
    s.report(one, 1, loss=0.1)
    s.end(one, "FAILED", "lost")
    s.end(two, "FAILED")
    assert s.states == ["FAIL", "FAIL"]


def test_a_trial_that_is_stopped_before_it_reports_is_told_as_a_failure(search):
    s = search()
    s.end(s.start(), "STOPPED")
    assert s.states == ["FAIL"]


def test_a_config_that_breaks_a_constraint_of_the_space_is_told_as_the_worst(search):
    s = search()
    s.end(s.start(), "STOPPED", "infeasible")
    assert s.states == ["PRUNED"]
    assert s["00000"].intermediate_values == {}


def test_the_sampler_learns_to_avoid_what_breaks_a_constraint_of_the_space(search, facts):
    s = search(facts({"x": uniform(0, 1), "y": uniform(0, 1)}), n_startup_trials=10)
    broken = []
    for _ in range(60):
        one = s.start()
        broken.append(s.trials[one].config["x"] > 0.5)
        if broken[-1]:
            s.end(one, "STOPPED", "infeasible")
        else:
            s.report(one, loss=s.trials[one].config["y"])
            s.end(one)
    assert sum(broken[-30:]) <= 5


def test_the_projected_point_is_told(search, facts):
    s = search(facts({"x": quniform(0, 1, 0.1), "k": randint(1, 50)}))
    s.start({"x": 0.26, "k": 3.2})
    assert s["00000"].params == {"x": 3, "k": 3}
    assert s.trials["00000"].config == {"x": 0.3, "k": 3}


def test_a_resumed_trial_with_another_config_is_told_with_that(search):
    s = search()
    one = s.start()
    for t in (1, 2, 3):
        s.report(one, t, loss=1.0)
    config = {"x": 0.25, "k": 7, "c": "b"}
    s._tell("on_start", s.trials[one]._replace(starts=2, config=config, iteration=2))
    assert s[one].params == {"x": 0.25, "k": 7, "c": 1}
    assert s[one].intermediate_values == {1: 1.0, 2: 1.0}


def test_a_category_of_weight_zero_is_not_proposed_and_no_error_when_it_was_tried(search, facts):
    s = search(facts({"c": choice(["often", "never"], weights=[1, 0]), "x": uniform(0, 1)}))
    one = s.start({"c": "never", "x": 0.5})
    s.report(one, loss=0.0)
    s.end(one)
    assert s.states == ["FAIL"]
    assert {s.one()["c"] for _ in range(20)} == {"often"}


def test_a_normal_is_drawn_as_a_normal_before_there_is_a_model(search, facts):
    s = search(facts({"x": randn(10, 2)}), sampler="random")
    drawn = [s.one()["x"] for _ in range(400)]
    mean = sum(drawn) / 400
    assert mean == pytest.approx(10, abs=0.4)
    assert math.sqrt(sum((x - mean) ** 2 for x in drawn) / 400) == pytest.approx(2, abs=0.3)


# --- asking leaves no trace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2", "qmc"])
def test_a_suggestion_that_nobody_takes_up_changes_nothing(sampler, search):
    s, t = search(sampler=sampler), search(sampler=sampler)
    for _ in range(15):
        s.suggest()
        s.searcher.suggest(rng=s.run.rng("something else"))
        assert s.one() == t.one()
    assert [each.system_attrs for each in s.searcher._history.storage.trials] == [
        each.system_attrs for each in t.searcher._history.storage.trials
    ]


def test_optunas_verbosity_is_given_back_and_nothing_is_printed(capfd, search):
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        s = search(sampler="cmaes")
        for _ in range(5):
            s.one()
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(optuna.logging.INFO)
    assert capfd.readouterr() == ("", "")


# --- what the model knows --------------------------------------------------------------------------------------------


def test_trials_of_others_feed_the_model(search, facts):
    s = search(facts({"x": uniform(0, 1)}))
    for i in range(40):
        one = s.start({"x": i / 40})
        s.report(one, loss=abs(i / 40 - 0.7))
        s.end(one)
    assert sum(abs(s.one()["x"] - 0.7) < 0.15 for _ in range(10)) >= 8


def test_trials_that_a_scheduler_leaves_paused_feed_the_model(search, facts):
    s = search(facts({"x": uniform(0, 1)}))
    distances = []
    for _ in range(60):
        one = s.start()
        distances.append(abs(s.trials[one].config["x"] - 0.7))
        s.report(one, loss=distances[-1])  # and never a word again
    assert sum(distances[40:]) / 20 < 0.15


def test_trials_in_flight_do_not_repeat(search):
    s = search()
    for _ in range(12):
        s.one()
    in_flight = [s.start() for _ in range(8)]
    assert len({s.trials[one].config["x"] for one in in_flight}) == 8


def test_several_objectives_are_followed(search, facts):
    run = facts({"x": uniform(0, 1), "y": uniform(0, 1)}, metric=["far", "near"], mode=["max", "min"])
    s = search(run, n_startup_trials=10)
    late = []
    for i in range(60):
        one = s.start()
        config = s.trials[one].config
        s.report(one, far=config["y"] - abs(config["x"] - 0.5), near=abs(config["x"] - 0.5))
        s.end(one)
        if i >= 40:
            late.append(config)
    assert s["00000"].values == [s.trials["00000"].config["y"] - s["00000"].values[1], s["00000"].values[1]]
    assert sum(abs(config["x"] - 0.5) for config in late) / 20 < 0.18


def test_constraints_are_kept_away_from(search, facts):
    run = facts({"x": uniform(0, 1), "y": uniform(0, 1)})
    s = search(run, constraints=["limits/heat"], n_startup_trials=10)
    broken = []
    for _ in range(60):
        one = s.start()
        config = s.trials[one].config
        s.report(one, loss=1 - config["x"], limits={"heat": config["x"] - 0.5})
        s.end(one)
        broken.append(config["x"] > 0.5)
    assert sum(broken[-20:]) < 12  # the best values lie where it is broken, and all would be there
    assert s.states == ["COMPLETE"] * 60
    one = s.start()
    s.report(one, loss=0.0)
    s.end(one)
    assert s[one].state == TrialState.FAIL  # nobody knows whether it is broken


# --- replay ----------------------------------------------------------------------------------------------------------

CONDITIONAL = {
    "lr": uniform(0, 1),
    "net": choice([{"kind": "tree", "depth": randint(1, 9)}, {"kind": "deep", "width": randint(1, 99)}, "none"]),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options", [{}, {"sampler": "cmaes", "popsize": 4}, {"sampler": "nsga2", "population_size": 4}]
)
def test_the_tells_alone_rebuild_everything(options, seed, search, facts):
    s = search(facts(CONDITIONAL, seed=seed), **options)
    rng = random.Random(seed)
    running = {}
    for step in range(250):
        if len(running) < 5:
            running[s.start(s.run.space.sample(rng) if rng.random() < 0.1 else None)] = 0
        one = rng.choice(list(running))
        fate = rng.random()
        if fate < 0.6:
            running[one] += 1
            s.report(one, running[one], loss=rng.choice([rng.random(), rng.random(), math.nan]))
        elif fate < 0.65:
            config = s.run.space.sample(rng)
            s._tell("on_start", s.trials[one]._replace(starts=s.trials[one].starts + 1, config=config))
        elif fate < 0.9:
            del running[one]
            s.end(one, rng.choice(["COMPLETED", "STOPPED", "FAILED"]), rng.choice(["", "infeasible"]))
        if step % 25 == 0:
            assert s.replayed().suggest() == s.suggest()
    other = s.replayed()
    assert other.states == s.states
    for mine, theirs in zip(s.searcher._history.storage.trials, other.searcher._history.storage.trials, strict=True):
        assert (mine.params, mine.distributions) == (theirs.params, theirs.distributions)
        assert mine.system_attrs == theirs.system_attrs
        assert repr((mine.values, mine.intermediate_values)) == repr((theirs.values, theirs.intermediate_values))
