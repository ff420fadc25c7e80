from __future__ import annotations

import random

import numpy as np
import pytest
from hyperopt import Trials, anneal, hp, rand, space_eval, tpe
from hyperopt.base import Domain

from microtune import OptionError, Tuner, choice, lograndint, loguniform, qrandn, quniform, randint, randn, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_search_hyperopt import HyperoptSearch

SPACE = {
    "lr": loguniform(1e-4, 1.0),
    "width": randint(1, 50),
    "depth": lograndint(1, 100),
    "rate": quniform(0, 1, 0.25),
    "mean": randn(1.0, 2.0),
    "kind": choice(["a", "b", "c"], weights=[1, 2, 1]),
    "optimizer": choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam", "shift": qrandn(0, 1, 0.5)}]),
}
# The same, as a user of hyperopt writes it. The order in which hyperopt draws is that of the labels.
THEIRS = {
    "lr": hp.loguniform("lr", np.log(1e-4), np.log(1.0)),
    "width": hp.quniform("width", 0.5, 49.5, 1),
    "depth": hp.qloguniform("depth", np.log(0.5), np.log(99.5), 1),
    "rate": hp.quniform("rate", -0.125, 1.125, 0.25),
    "mean": hp.normal("mean", 1.0, 2.0),
    "kind": hp.pchoice("kind", [(0.25, "a"), (0.5, "b"), (0.25, "c")]),
    "optimizer": hp.choice(
        "optimizer",
        [
            {"kind": "sgd", "momentum": hp.uniform("optimizer/0/momentum", 0, 1)},
            {"kind": "adam", "shift": hp.qnormal("optimizer/1/shift", 0, 1, 0.5)},
        ],
    ),
}


def loss_of(config: dict) -> float:
    return abs(np.log(config["lr"]) + 3) + config["width"] / 50 + (config["optimizer"]["kind"] == "adam")


@pytest.mark.parametrize(
    ("algo", "function"), [("tpe", tpe.suggest), ("anneal", anneal.suggest), ("random", rand.suggest)]
)
def test_it_suggests_what_the_library_called_directly_suggests(session, algo, function):
    s = session(SPACE, algo=algo)
    domain, trials = Domain(lambda config: None, THEIRS), Trials()
    for number in range(40):
        seed = s.run.rng("suggest", number).getrandbits(31)
        trials.insert_trial_docs(function(trials.new_trial_ids(1), domain, trials, seed))
        trials.refresh()
        document = trials.trials[-1]
        theirs = space_eval(THEIRS, {label: value[0] for label, value in document["misc"]["vals"].items() if value})
        ours = s.ask()
        assert ours == s.run.space.project(dict(theirs), s.run.rng("project"))
        s.complete(loss_of(ours), ours)
        document["state"], document["result"] = 2, {"loss": loss_of(ours), "status": "ok"}


def test_it_is_told_the_projected_point(session):
    s = session({"rate": quniform(0, 1, 0.25)})
    assert list(s.document(s.start({"rate": 0.75}))["misc"]["vals"].values()) == [[0.75]]


def test_with_eight_in_flight_no_suggestion_is_made_twice(session):
    for algo in ("tpe", "anneal"):
        s = session({"x": uniform(0, 1)}, algo=algo)
        for _ in range(30):
            trial = s.start()
            s.report(trial, loss=(s.trials[trial].config["x"] - 0.3) ** 2)
            s.end(trial)
        flying = [s.trials[s.start()].config["x"] for _ in range(8)]
        assert len(set(flying)) == 8


def test_tpe_keeps_away_from_what_is_running(session):
    def near(flying: int) -> float:
        """The share of suggestions near 0.3, where the best are, with so many trials running there."""
        rng, hits = random.Random(1), 0
        for seed in range(60):
            s = session({"x": uniform(0, 1)}, seed=seed)
            for _ in range(30):
                x = rng.random()
                s.complete(abs(x - 0.3), {"x": x})
            for _ in range(flying):
                s.start({"x": 0.3 + rng.uniform(-0.02, 0.02)})
            hits += abs(s.ask()["x"] - 0.3) < 0.05
        return hits / 60

    assert near(0) > 0.5
    assert near(20) < 0.5 * near(0)


def test_what_heard_the_same_suggests_the_same_whoever_suggested_it(session):
    live = session(SPACE)
    for i in range(30):
        live.complete(float(i % 7))
    flying = live.start()
    told = session(SPACE)
    for trial in list(live.trials.values())[:-1]:
        told.complete(float(trial.number % 7), trial.config)
    told.start(live.trials[flying].config)
    assert told.ask() == live.ask()


def test_a_warm_start_is_as_good_as_the_trials_themselves(tmp_path):
    def tuner(**more):
        given = {"searcher": HyperoptSearch(), "seed": 3, **more}
        return Tuner(
            lambda config: {"loss": (config["x"] - 0.3) ** 2}, param_space={"x": uniform(-50, 50)}, metric="loss", mode="min",
            loggers=(), executor=FakeExecutor(), storage_path=tmp_path, **given,
        )  # fmt: skip

    tuner(searcher=FakeSearcher(), num_samples=60, name="before").fit()
    warm = tuner(num_samples=20, name="warm", warm_start=[str(tmp_path / "before")]).fit()
    cold = tuner(num_samples=20, name="cold").fit()
    assert sum(abs(trial.config["x"]) < 15 for trial in warm) > 12, "of 20 without a model it would be 6"
    assert sum(abs(trial.config["x"]) < 15 for trial in cold) < 12


def test_several_objectives_are_refused():
    tuner = Tuner(
        abs, param_space={"x": uniform(0, 1)}, metric=["loss", "size"], mode=["min", "min"], searcher="hyperopt",
        storage_path=":memory:", loggers=(), executor=FakeExecutor(),
    )  # fmt: skip
    with pytest.raises(OptionError, match="hyperopt needs one metric"):
        tuner.fit()


@pytest.mark.parametrize("algo", ["tpe", "anneal"])
def test_a_category_of_weight_zero_is_never_suggested(session, algo):
    s = session({"kind": choice(["often", "never"], weights=[1, 0])}, algo=algo)
    for i in range(40):
        trial = s.complete(float(i))
        assert s.trials[trial].config["kind"] == "often"


def test_categories_that_look_alike_are_told_apart(session):
    s = session({"kind": choice([1, True, "1", [1], None, {"a": 1}])})
    for index, category in enumerate([1, True, "1", [1], None, {"a": 1}]):
        assert list(s.document(s.start({"kind": category}))["misc"]["vals"].values()) == [[index]]


def test_quantised_bounds_are_drawn_as_often_as_the_values_between(session):
    s = session({"x": quniform(0, 1, 0.5)}, algo="random")
    drawn = [s.trials[s.start()].config["x"] for _ in range(600)]
    for value in (0.0, 0.5, 1.0):
        assert drawn.count(value) == pytest.approx(200, abs=50)
