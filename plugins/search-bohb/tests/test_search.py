from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest

import microtune as mt
from microtune import OptionError
from microtune.testing import FakeExecutor
from microtune_search_bohb import BOHBSearch

LINE = {"x": mt.uniform(0, 1)}


def told(session: Any, losses: Any, count: int = 20, iteration: int = 1, seed: int = 0) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        config = session.run.space.sample(rng)
        session.complete(config, losses(config), iteration)


def near(proposed: list[dict[str, Any]], x: float, within: float = 0.15) -> int:
    return sum(abs(config["x"] - x) < within for config in proposed)


# --- when there is a model -------------------------------------------------------------------------------------------


def test_before_there_is_a_model_it_draws_as_random_search_does(session: Any) -> None:
    search = session({"x": mt.uniform(0, 1), "y": mt.loguniform(1e-3, 1), "z": mt.choice(["a", "b", "c"])})
    for i in range(5):  # one less than N_min + 2 = 6
        assert search.suggest() == search.run.space.sample(search.run.rng("suggest", i))
        search.complete(search.suggest(), float(i))
    search.complete(search.suggest(), 5.0)
    assert any(search.suggest() != search.run.space.sample(search.run.rng("suggest", i)) for i in range(6, 12))


def test_one_in_three_is_drawn_from_the_space(session: Any) -> None:
    search = session(LINE)
    told(search, lambda config: abs(config["x"] - 0.3))
    far = 300 - near(search.proposals(300), 0.3, 0.2)
    assert far / 300 == pytest.approx(1 / 3 * 0.6, abs=0.07)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_proposals_are_near_the_best(session: Any, mode: str) -> None:
    search = session(LINE, mode=mode, random_fraction=0)
    told(search, lambda config: (1 if mode == "min" else -1) * abs(config["x"] - 0.7))
    assert near(search.proposals(40), 0.7) >= 38


def test_the_largest_budget_with_enough_trials_is_what_counts(session: Any) -> None:
    search = session(LINE, random_fraction=0)
    told(search, lambda config: abs(config["x"] - 0.1), iteration=1)
    told(search, lambda config: abs(config["x"] - 0.9), iteration=9, count=3)
    assert near(search.proposals(40), 0.1, 0.2) >= 36
    told(search, lambda config: abs(config["x"] - 0.9), iteration=9, seed=1)
    assert near(search.proposals(40), 0.9, 0.2) >= 36


def test_it_learns_from_trials_that_are_not_over(session: Any) -> None:
    search = session(LINE, random_fraction=0)
    for i in range(20):
        search.report(search.start({"x": i / 20}), 3, loss=abs(i / 20 - 0.7))
    assert near(search.proposals(40), 0.7) >= 38


# --- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "reason"), [("FAILED", None), ("STOPPED", "infeasible")])
def test_failed_and_infeasible_trials_are_avoided(session: Any, state: str, reason: str | None) -> None:
    search = session(LINE, random_fraction=0)
    rng = random.Random(0)
    for _ in range(60):
        config = {"x": rng.random()}
        if config["x"] > 0.5:
            search.complete(config, 1.0)
        else:
            search.end(search.start(config), state, reason)
    assert sum(config["x"] > 0.5 for config in search.proposals(40)) >= 37


def test_nonsense_is_avoided(session: Any) -> None:
    search = session(LINE, random_fraction=0)
    told(search, lambda config: 1.0 if config["x"] > 0.5 else math.nan, count=60)
    assert sum(config["x"] > 0.5 for config in search.proposals(40)) >= 37


def test_where_only_nonsense_was_measured_there_is_no_model(session: Any) -> None:
    search = session(LINE)
    told(search, lambda config: math.inf)
    assert search.suggest() == search.run.space.sample(search.run.rng("suggest", 20))


def test_a_result_without_the_metric_is_no_observation(session: Any) -> None:
    search = session(LINE)
    for i in range(20):
        search.report(search.start({"x": i / 20}), 1, other=1.0)
    assert search.suggest() == search.run.space.sample(search.run.rng("suggest", 20))


def test_a_trial_that_got_another_config_counts_with_that_one(session: Any) -> None:
    search = session(LINE, random_fraction=0)
    for i in range(20):
        trial = search.start({"x": 0.1})
        search.report(trial, 1, loss=1.0)
        search.resume(trial, config={"x": i / 20})
        search.report(trial, 2, loss=abs(i / 20 - 0.7))
    assert near(search.proposals(40), 0.7) >= 38


def test_a_category_of_weight_zero_is_never_proposed_however_good_it_is(session: Any) -> None:
    search = session({"kind": mt.choice(["a", "b", "c"], weights=[1, 1, 0]), **LINE}, random_fraction=0)
    for i in range(30):
        search.complete({"kind": "abc"[i % 3], "x": i / 30}, 0.0 if i % 3 == 2 else 1.0)
    assert {config["kind"] for config in search.proposals(60)} == {"a", "b"}


def test_keys_outside_the_space_are_ignored(session: Any) -> None:
    search = session(LINE, random_fraction=0)
    for i in range(20):
        search.complete({"x": i / 20, "more": [1, 2]}, abs(i / 20 - 0.7))
    assert near(search.proposals(40), 0.7) >= 38


def test_of_a_conditional_space_the_best_branch_is_proposed_with_its_best_parameters(session: Any) -> None:
    net, tree = {"kind": "net", "x": mt.uniform(0, 1)}, {"kind": "tree", "depth": mt.randint(1, 9)}
    search = session({"model": mt.choice([tree, net])}, random_fraction=0)
    told(search, lambda c: abs(c["model"]["x"] - 0.7) if c["model"]["kind"] == "net" else 0.5, count=60)
    proposed = [config["model"] for config in search.proposals(40)]
    nets = [model for model in proposed if model["kind"] == "net"]
    assert len(nets) >= 30
    assert near(nets, 0.7, 0.2) >= 0.9 * len(nets)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "value"), [
    ("min_points_in_model", 1), ("top_n_percent", 0), ("top_n_percent", 100), ("num_samples", 0), ("random_fraction", 1.1),
    ("bandwidth_factor", 0), ("min_bandwidth", -1e-3), ("min_bandwidth", math.nan),
])  # fmt: skip
def test_an_option_out_of_its_range_is_refused_by_its_name(session: Any, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=option):
        session(LINE, **{option: value})


def test_min_points_in_model_says_when_there_is_a_model(session: Any) -> None:
    search = session(LINE, random_fraction=0, min_points_in_model=28)
    told(search, lambda config: abs(config["x"] - 0.7), count=29)
    assert search.suggest() == search.run.space.sample(search.run.rng("suggest", 29))
    told(search, lambda config: abs(config["x"] - 0.7), count=1)
    assert search.suggest() != search.run.space.sample(search.run.rng("suggest", 30))


# --- quality ---------------------------------------------------------------------------------------------------------


def branin(config: dict[str, Any]) -> dict[str, Any]:
    x, y = config["x"], config["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return {"loss": valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10}


def test_on_branin_100_trials_come_nearer_than_those_of_random_search() -> None:
    def regret(seed: int, **options: Any) -> float:
        tuner = mt.Tuner(
            branin, param_space={"x": mt.uniform(-5, 10), "y": mt.uniform(0, 15)}, metric="loss", mode="min", num_samples=100,
            searcher=BOHBSearch(**options), executor=FakeExecutor(), loggers=(), storage_path=":memory:", seed=seed,
        )  # fmt: skip
        return min(trial.metrics["loss"] for trial in tuner.fit()) - 10 / (8 * math.pi)

    modelled = statistics.median(regret(seed) for seed in range(10))
    drawn = statistics.median(regret(seed, random_fraction=1) for seed in range(10))
    assert modelled < 0.5 * drawn
