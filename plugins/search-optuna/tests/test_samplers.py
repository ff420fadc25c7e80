"""Facts of every sampler by name, and of samplers that are objects."""

from __future__ import annotations

import math
import random

import numpy
import optuna
import pytest

from microtune import Facts, Limits, Objective, Space, Tuner, choice, loguniform, quniform, randint, uniform
from microtune.testing import FakeExecutor
from microtune.testing.contract import finish, killed
from microtune_search_optuna import OptunaSearch
from microtune_search_optuna.quiet import quiet

# Small numbers, so that every one models something within a few trials.
SAMPLERS = {
    "tpe": {"n_startup_trials": 5},
    "gp": {"n_startup_trials": 3},
    "cmaes": {"popsize": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "qmc": {"scramble": True},
    "random": {},
    "brute_force": {},
}
MIXED = {
    "x": quniform(0, 1, 0.01),
    "k": randint(1, 50),
    "net": choice([{"kind": "tree", "depth": randint(1, 9)}, {"kind": "deep", "head": choice(["a", "b"])}]),
}
SMOOTH = {"x": uniform(0, 1), "y": uniform(0, 1)}


def cost(config):
    return {"loss": (config["x"] - 0.3) ** 2 + abs(config["k"] - 20) / 50 + (config["net"]["kind"] == "tree")}


def tuner(sampler, trials=14, workers=1, space=MIXED, trainable=cost, options=None, **more):
    made = OptunaSearch(sampler=sampler, **(SAMPLERS.get(sampler, {}) if options is None else options))
    given = {
        "metric": "loss", "mode": "min", "num_samples": trials, "seed": 1, "storage_path": ":memory:", "loggers": (),
        "executor": FakeExecutor(workers=workers), "searcher": made, **more,
    }  # fmt: skip
    return Tuner(trainable, param_space=space, **given)


def configs(results):
    return [trial.config for trial in results]


CLASSES = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "nsga3": optuna.samplers.NSGAIIISampler,
    "qmc": optuna.samplers.QMCSampler,
    "random": optuna.samplers.RandomSampler,
    "brute_force": optuna.samplers.BruteForceSampler,
}


def directly(sampler, trials, space, loss):
    """Optuna itself, with the seeds that the run gives."""
    run = Facts("", "", "", 1, Space({}), Objective("loss", "min"), None, Limits(), {}, None)
    study = optuna.create_study()
    suggested = []
    for number in range(trials):
        seed = run.rng("suggest", number).getrandbits(32)
        options = {**SAMPLERS[sampler], "seed": seed}
        if sampler == "qmc":
            options["independent_sampler"] = optuna.samplers.RandomSampler(seed=seed)
            options["seed"] = run.rng("optuna").getrandbits(32)
        study.sampler = CLASSES[sampler](**options)
        trial = study.ask()
        suggested.append(space(trial))
        try:
            study.tell(trial, loss(suggested[-1]))
        except RuntimeError:  # brute force is through, and would end a loop that is not there
            break
    return suggested


@pytest.mark.parametrize("sampler", CLASSES)
def test_a_run_is_what_it_would_be_had_optuna_been_called_directly(sampler):
    def loss(config):
        return (config["k"] - 5) ** 2 + config["c"] + config.get("x", 0.0)

    def space(trial):
        floats = {} if sampler == "brute_force" else {"x": trial.suggest_float("x", 0, 1)}
        return {**floats, "k": trial.suggest_int("k", 1, 8), "c": trial.suggest_categorical("c", [1, 2])}

    trials = {"gp": 6, "brute_force": 16}.get(sampler, 30)
    floats = {} if sampler == "brute_force" else {"x": uniform(0, 1)}
    mine = finish(
        tuner(
            sampler, 30 if sampler == "brute_force" else trials, space={**floats, "k": randint(1, 9), "c": choice([1, 2])},
            trainable=lambda config: {"loss": loss(config)},
        )
    )  # fmt: skip
    with quiet():
        assert configs(mine) == directly(sampler, trials, space, loss)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_run_goes_on_exactly(sampler, workers, tmp_path):
    trials = 6 if sampler == "gp" else 30
    whole = configs(finish(tuner(sampler, trials, workers)))
    image = killed(tuner(sampler, trials, workers, storage_path=tmp_path, name="run"), trials - 2, tmp_path)
    again = OptunaSearch(sampler=sampler, **SAMPLERS[sampler])
    resumed = Tuner.restore(image, cost, searcher=again, executor=FakeExecutor(workers=workers), loggers=())
    assert configs(finish(resumed)) == whole
    assert len(whole) == trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_global_generators_are_left_alone(sampler):
    random.seed(1)
    numpy.random.seed(1)
    before = random.getstate(), repr(numpy.random.get_state(legacy=False))
    if sampler == "gp":
        import torch

        torch_before = torch.random.get_rng_state()
    finish(tuner(sampler, 6))
    assert (random.getstate(), repr(numpy.random.get_state(legacy=False))) == before
    if sampler == "gp":
        assert torch.equal(torch.random.get_rng_state(), torch_before)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "cmaes"])
def test_several_objectives_may_be_followed(sampler):
    trials, workers = (4, 1) if sampler == "gp" else (16, 2)  # of which three are not modelled
    results = finish(
        tuner(
            sampler, trials, workers, metric=["loss", "size"], mode=["min", "max"],
            trainable=lambda config: {**cost(config), "size": config["k"]},
        )
    )  # fmt: skip
    assert len(results) == trials
    assert {trial.state for trial in results} == {"COMPLETED"}


@pytest.mark.parametrize("workers", [1, 4])
def test_brute_force_tries_every_config_once_and_is_done(workers):
    space = {
        "x": quniform(0, 1, 0.1),
        "net": choice([{"kind": "a", "depth": randint(1, 4)}, "b"]),
    }
    results = finish(
        tuner("brute_force", None, workers, space=space, trainable=lambda config: {"loss": config["x"]})
    )  # fmt: skip
    tried = [repr(trial.config) for trial in results]
    assert len(set(tried)) == Space(space).size == 44
    assert len(tried) - 44 < workers  # what is in flight at the very end may be tried twice


def test_the_points_of_qmc_are_one_sequence_that_fills_the_space_evenly():
    results = finish(tuner("qmc", 65, space=SMOOTH, trainable=lambda config: {"loss": config["x"]}))
    cells = {(int(8 * trial.config["x"]), int(8 * trial.config["y"])) for trial in list(results)[1:]}
    assert len(cells) == 64  # Sobol: one in each cell; the first one is drawn at random, to learn the space


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_what_a_sampler_suggests_late_is_better_than_chance(sampler):
    def bowl(config):
        return {"loss": (config["x"] - 0.3) ** 2 + (config["y"] - 0.8) ** 2}

    def late(name):
        runs = [finish(tuner(name, 60, space=SMOOTH, trainable=bowl, options={}, seed=seed)) for seed in range(3)]
        return sum(trial.metrics["loss"] for results in runs for trial in list(results)[40:])

    assert late(sampler) < late("random") / 2


# --- objects ---------------------------------------------------------------------------------------------------------


def partial_fixed(sampler):
    with quiet():  # it is experimental
        return optuna.samplers.PartialFixedSampler({"k": 7}, sampler)


class Noted(optuna.samplers.TPESampler):
    """A sampler of the user's own."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noted,
        lambda: lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=4),
        lambda: Noted(seed=5, n_startup_trials=4),
        lambda: optuna.samplers.CmaEsSampler(seed=5, popsize=4),
        lambda: partial_fixed(optuna.samplers.TPESampler(seed=5, n_startup_trials=4)),
    ],
    ids=["class", "function", "object", "cmaes object", "another sampler in it"],
)
def test_a_sampler_of_the_users_own_is_resumed_exactly_if_it_is_seeded(make, tmp_path):
    whole = configs(finish(tuner(make(), 20, options={})))
    image = killed(tuner(make(), 20, options={}, storage_path=tmp_path, name="run"), 15, tmp_path)
    again = OptunaSearch(sampler=make())
    resumed = Tuner.restore(image, cost, searcher=again, executor=FakeExecutor(), loggers=())
    assert configs(finish(resumed)) == whole


def test_a_journal_holds_no_pickle(tmp_path):
    finish(
        tuner(
            "cmaes", 20, space=SMOOTH, trainable=lambda config: {"loss": config["x"]}, storage_path=tmp_path, name="run"
        )
    )
    held = (tmp_path / "run" / "journal.db").read_bytes()
    assert b"cma" not in held.replace(b'"cmaes"', b"")


def test_a_run_goes_on_with_another_sampler(tmp_path):
    finish(tuner("tpe", 10, storage_path=tmp_path, name="run"))
    for trials, sampler in enumerate(SAMPLERS, 11):
        again = OptunaSearch(sampler=sampler, **SAMPLERS[sampler])
        more = Tuner.restore(
            tmp_path / "run", cost, num_samples=trials, searcher=again, executor=FakeExecutor(), loggers=()
        )
        assert len(finish(more)) == trials


def test_a_run_is_restored_by_the_names_in_its_journal(tmp_path):
    name = "optuna:sampler=cmaes,popsize=4"
    whole = configs(finish(tuner("random", 20, searcher=name)))
    finish(tuner("random", 13, searcher=name, storage_path=tmp_path, name="run"))
    more = Tuner.restore(tmp_path / "run", cost, num_samples=20, executor=FakeExecutor(), loggers=())
    assert configs(finish(more)) == whole


def test_a_warm_start_feeds_the_model(tmp_path):
    def valley(config):
        return {"loss": abs(math.log10(config["lr"]) + 2)}

    space = {"lr": loguniform(1e-4, 1)}
    finish(tuner("tpe", 40, space=space, trainable=valley, storage_path=tmp_path, name="first"))
    warm = finish(tuner("tpe", 10, space=space, trainable=valley, warm_start=[tmp_path / "first"], seed=2))
    cold = finish(tuner("random", 10, space=space, trainable=valley, seed=2))
    assert sum(t.metrics["loss"] for t in warm) < sum(t.metrics["loss"] for t in cold) / 2
