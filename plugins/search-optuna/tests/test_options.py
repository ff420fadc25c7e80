from __future__ import annotations

import optuna
import pytest

from microtune import OptionError, Tuner, choice, loguniform, randint, uniform
from microtune.testing import FakeExecutor
from microtune.testing.contract import finish
from microtune_search_optuna import OptunaSearch

SPACE = {"x": uniform(0, 1), "k": randint(1, 50), "c": choice(["a", "b", "c"])}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "tpo"}, "'tpo'; it must be one of tpe, gp, cmaes"),
        ({"multivariat": True}, "'tpe' has no option 'multivariat'; its options are .*multivariate"),
        ({"sampler": "nsga2", "n_startup_trials": 3}, "'nsga2' has no option .*; its options are population_size"),
        ({"sampler": "random", "n": 3}, "it has no options"),
        ({"seed": 3}, "no option 'seed'"),
        ({"sampler": "nsga2", "population_size": 1}, "refuses its options .*population_size"),
        ({"sampler": "cmaes", "constraints": ["c"]}, "'cmaes' knows no constraints; these do: tpe, gp, nsga2, nsga3"),
        ({"sampler": optuna.samplers.RandomSampler(), "n": 3}, "n cannot be set for the sampler RandomSampler"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(OptionError, match=message):
        OptunaSearch(**options)


def test_text_on_the_command_line_reaches_the_sampler(search, facts):
    results = finish(
        Tuner(
            lambda config: {"loss": config["x"]}, param_space=SPACE, metric="loss", mode="min", num_samples=12, seed=1,
            searcher="optuna:sampler=tpe,multivariate=true,n_startup_trials=5", executor=FakeExecutor(), loggers=(),
            storage_path=":memory:",
        )
    )  # fmt: skip
    same = search(facts(seed=1), sampler="tpe", multivariate=True, n_startup_trials=5)
    for trial in results:
        assert same.one(loss=trial.config["x"]) == trial.config


def test_several_metrics_are_refused_for_a_sampler_that_follows_one(search, facts):
    run = facts(metric=["loss", "size"], mode=["min", "min"])
    for sampler in ("cmaes", optuna.samplers.CmaEsSampler(), optuna.samplers.CmaEsSampler):
        with pytest.raises(OptionError, match="needs one metric"):
            search(run, sampler=sampler)


def test_brute_force_refuses_what_has_no_end(search, facts):
    with pytest.raises(OptionError, match="'lr'"):
        search(facts({"lr": loguniform(1e-4, 1)}), sampler="brute_force")
