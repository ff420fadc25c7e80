from __future__ import annotations

import pytest

import microtune as mt
from acme_climb import HillClimb
from microtune.testing import FakeExecutor


def sphere(config):
    return {"loss": sum((config[name] - 0.7) ** 2 for name in "abcd")}


def best_loss(searcher, seed):
    results = mt.Tuner(
        sphere, param_space={name: mt.uniform(0, 1) for name in "abcd"}, metric="loss", mode="min", num_samples=100, seed=seed,
        searcher=searcher, executor=FakeExecutor(), loggers=(), storage_path=":memory:",
    ).fit()  # fmt: skip
    return results.get_best_result().metrics["loss"]


def test_climbing_beats_drawing_at_random():
    wins = sum(best_loss(HillClimb(), seed) < best_loss(HillClimb(startup=1000), seed) for seed in range(5))
    assert wins >= 4


def test_a_rate_that_is_no_probability_is_refused():
    with pytest.raises(mt.OptionError, match="rate"):
        HillClimb(rate=0)
