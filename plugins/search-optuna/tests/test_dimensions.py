from __future__ import annotations

import random

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import microtune as mt
from microtune import Space
from microtune_search_optuna.dimensions import TAIL, dimensions, suggest, written


@pytest.mark.parametrize(
    ("domain", "distribution"),
    [
        (mt.uniform(-1, 2), FloatDistribution(-1, 2)),
        (mt.loguniform(1e-5, 1e-1), FloatDistribution(1e-5, 1e-1, log=True)),
        (mt.quniform(0, 1, 0.1), IntDistribution(0, 10)),
        (mt.quniform(-0.3, 0.3, 0.1), IntDistribution(-3, 3)),
        (mt.qloguniform(0.01, 1, 0.01), IntDistribution(1, 100, log=True)),
        (mt.randint(-5, 5), IntDistribution(-5, 4)),
        (mt.qrandint(8, 64, 8), IntDistribution(1, 8)),
        (mt.lograndint(1, 1000), IntDistribution(1, 999, log=True)),
        (mt.qlograndint(10, 1000, 10), IntDistribution(1, 100, log=True)),
        (mt.randn(3, 2), FloatDistribution(TAIL, 1 - TAIL)),
        (mt.choice(["a", [1], {"b": 2}]), CategoricalDistribution((0, 1, 2))),
        (mt.choice(["a", "b", "c"], weights=[1, 0, 3]), CategoricalDistribution((0, 2))),
    ],
)
def test_each_domain_has_its_distribution(domain, distribution):
    (dimension,) = dimensions(Space({"x": domain}))
    assert dimension.distribution == distribution


@pytest.mark.parametrize(
    "domain",
    [
        mt.uniform(-1, 2), mt.loguniform(1e-5, 1e-1), mt.quniform(0, 1, 0.1), mt.qloguniform(0.01, 1, 0.01), mt.randint(-5, 5),
        mt.qrandint(8, 64, 8), mt.qlograndint(10, 1000, 10), mt.randint(2**53, 2**60), mt.qrandn(0, 2, 0.5),
        mt.choice([None, True, 1, 2.5, "1", [1, 2], {"a": 1}]), mt.choice(["a", "b"], weights=[3, 1]),
    ],
)  # fmt: skip
def test_what_is_told_is_read_back(domain):
    (dimension,) = dimensions(Space({"x": domain}))
    for seed in range(50):
        value = domain.sample(random.Random(seed))
        told = dimension.write(value)
        again = domain.project(dimension.read(told))
        assert (again, type(again)) == (value, type(value))


def test_a_normal_far_out_is_told_at_the_end_of_the_range():
    (dimension,) = dimensions(Space({"x": mt.randn(0, 1)}))
    assert [dimension.write(x) for x in (-50, 0, 50)] == [TAIL, 0.5, 1 - TAIL]


def test_only_the_branch_that_is_chosen_is_asked_for_and_told():
    space = Space(
        {
            "model": mt.choice(
                [
                    {"kind": "tree", "depth": mt.randint(1, 9)},
                    {"kind": "net", "head": mt.choice([{"width": mt.randint(1, 9)}, "linear"])},
                ]
            ),
            "lr": mt.uniform(0, 1),
        }
    )
    known = dimensions(space)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = set()
    for _ in range(40):
        trial = study.ask()
        values = suggest(trial, known)
        config = space.assemble(values)
        assert space.contains(config)
        assert space.flatten(config) == values
        assert written(values, known) == (trial.params, trial.distributions)
        seen.add(tuple(values))
    inner = "model/1/head/0/width"
    assert seen == {
        ("model", "model/0/depth", "lr"),
        ("model", "model/1/head", "lr"),
        ("model", "model/1/head", inner, "lr"),
    }
