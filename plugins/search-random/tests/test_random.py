from __future__ import annotations

import statistics

import pytest

from microtune import Facts, Limits, Objective, Space, choice, loguniform, uniform
from microtune_search_random import RandomSearch


def facts(spec, seed=0):
    return Facts(
        id="", name="", path="", seed=seed, space=Space(spec), objective=Objective("loss", "min"), num_samples=None,
        limits=Limits(trials=None), resources={}, trainable=None,
    )  # fmt: skip


def draw(run, count):
    searcher = RandomSearch()
    return [searcher.suggest(run=run, rng=run.rng("suggest", n)).config for n in range(count)]


def test_what_trial_n_gets_depends_on_the_seed_and_on_n_alone():
    run = facts({"x": uniform(0, 1), "y": choice(["a", "b"])})
    assert draw(run, 20)[7:] == [RandomSearch().suggest(run=run, rng=run.rng("suggest", n)).config for n in range(7, 20)]
    assert draw(run, 20) != draw(facts(run.space.spec, seed=1), 20)


def test_draws_follow_the_declared_distribution():
    configs = draw(facts({"lr": loguniform(1e-4, 1.0), "kind": choice(["a", "b"], weights=[3, 1])}), 4000)
    assert statistics.median(config["lr"] for config in configs) == pytest.approx(1e-2, rel=0.2)
    assert sum(config["kind"] == "a" for config in configs) == pytest.approx(3000, abs=120)


def test_a_finite_space_is_drawn_from_with_replacement():
    configs = draw(facts({"x": choice([1, 2])}), 50)
    assert {config["x"] for config in configs} == {1, 2}
