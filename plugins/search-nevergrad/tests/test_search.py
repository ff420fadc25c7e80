from __future__ import annotations

import random
import warnings

import nevergrad as ng
import numpy as np
import pytest

from microtune import OptionError, Start, Trial, Tuner, Wait, choice, loguniform, quniform, randint, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.trainables import bowl
from microtune_search_nevergrad import NevergradSearch

PLANE = {"x": uniform(-5, 10), "y": uniform(0, 15)}


def loss_of(config):
    return abs(np.log(config["lr"]) + 3) + config["width"] / 50 + (config["kind"] == "a")


def tuner(**more):
    given = {
        "param_space": PLANE, "metric": "loss", "mode": "min", "num_samples": 20, "seed": 1, "loggers": (),
        "searcher": NevergradSearch(), "executor": FakeExecutor(), "storage_path": ":memory:", **more,
    }  # fmt: skip
    return Tuner(bowl, **given)


def configs(results):
    return [trial.config for trial in results]


@pytest.mark.parametrize("optimizer", ["NGOpt", "TwoPointsDE", "CMA", "OnePlusOne", "Cobyla"])
def test_it_suggests_what_the_library_called_directly_suggests(session, optimizer):
    s = session(
        {"lr": loguniform(1e-4, 1), "kind": choice(["a", "b"]), "width": randint(1, 50)},
        optimizer=optimizer,
        num_samples=30,
    )
    theirs = ng.p.Dict(
        lr=ng.p.Log(lower=1e-4, upper=1.0), kind=ng.p.Choice(["a", "b"]),
        width=ng.p.Scalar(lower=0.5, upper=49.5).set_integer_casting(),
    )  # fmt: skip
    theirs.random_state.seed(s.run.rng("nevergrad").getrandbits(32))
    library = ng.optimizers.registry[optimizer](parametrization=theirs, budget=30, num_workers=1)
    asked = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(30):
            asked.append(library.ask())
            library.tell(asked[-1], loss_of(asked[-1].value))
        del library  # and its thread, for before scipy 1.16 there can be one Cobyla at a time
    for candidate in asked:
        trial = s.complete(loss_of(candidate.value))
        assert s.trials[trial].config == {**candidate.value, "lr": pytest.approx(candidate.value["lr"], rel=1e-12)}


def test_it_is_told_the_projected_point(session):
    s = session({"rate": quniform(0, 1, 0.25), "x": uniform(0, 1)})
    for _ in range(5):
        trial = s.complete(1.0)
        assert s.told[-1][0] == s.trials[trial].config


def test_it_is_told_the_point_that_was_tried_where_somebody_changed_it(session):
    s = session(PLANE, optimizer="TwoPointsDE")
    answer = s.suggest()
    s._tell("on_start", Trial("00000", 0, {"x": 1.0, "y": 2.0}, state="RUNNING", token=answer.token))
    s.report("00000", loss=0.5)
    s.end("00000")
    assert s.told == [({"x": pytest.approx(1.0), "y": pytest.approx(2.0)}, 0.5)]


def test_a_trial_that_goes_on_with_another_config_is_told_at_its_new_point(session):
    s = session(PLANE, optimizer="TwoPointsDE")
    trial = s.start()
    s.report(trial, 1, loss=0.1)
    s.resume(trial, config={"x": 3.0, "y": 3.0})
    s.report(trial, 2, loss=0.4)
    s.end(trial)
    assert s.told == [({"x": pytest.approx(3.0), "y": pytest.approx(3.0)}, 0.4)]


@pytest.mark.parametrize("optimizer", ["NGOpt", "CMA", "TwoPointsDE", "PSO", "RandomSearch"])
def test_with_eight_in_flight_no_suggestion_is_made_twice(session, optimizer):
    s = session(PLANE, workers=8, num_samples=80, optimizer=optimizer)
    for _ in range(20):
        trial = s.start()
        s.report(trial, loss=abs(s.trials[trial].config["x"]))
        s.end(trial)
    flying = [s.trials[s.start()].config["x"] for _ in range(8)]
    assert len(set(flying)) == 8


# --- what it plans with ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "options", "budget", "workers"),
    [
        ({"num_samples": 40}, {}, 40, 1),
        ({"num_samples": None}, {}, 100, 1),
        ({"num_samples": 40, "workers": 4}, {}, 40, 4),
        ({"num_samples": 40, "workers": 4, "max_concurrent_trials": 3}, {}, 40, 3),
        ({"num_samples": 40, "workers": 4}, {"budget": 7, "num_workers": 2}, 7, 2),
        ({"num_samples": 40, "workers": 4}, {"optimizer": "Cobyla"}, 40, 1),
    ],
)
def test_budget_and_workers_are_those_of_the_run_or_the_options(session, run, options, budget, workers):
    s = session(PLANE, **run, **options)
    s.start()
    assert (s.optimizer.budget, s.optimizer.num_workers) == (budget, workers)


def test_an_optimiser_may_be_a_configured_family(session):
    s = session(PLANE, optimizer=ng.optimizers.ParametrizedOnePlusOne(mutation="cauchy"))
    s.start()
    assert "cauchy" in repr(s.optimizer) or s.optimizer._config.mutation == "cauchy"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "ngopt"}, "did you mean NGOpt"),
        ({"optimizer": "xyzzy"}, "usual ones are NGOpt, CMA"),
        ({"optimizer": 3}, "it must be a name such as 'NGOpt'"),
        ({"budget": 0}, "budget is 0; it must be at least 1"),
        ({"num_workers": 0}, "num_workers is 0; it must be at least 1"),
    ],
)
def test_a_wrong_option_is_named(options, words):
    with pytest.raises(OptionError) as raised:
        NevergradSearch(**options)
    assert words in str(raised.value)


def test_two_workers_are_too_many_for_an_optimiser_that_thinks_in_sequence():
    with pytest.raises(OptionError, match="num_workers is 2, and Cobyla has one trial at a time"):
        tuner(searcher=NevergradSearch(optimizer="Cobyla", num_workers=2)).fit()


# --- one at a time ------------------------------------------------------------------------------------------------------


def test_an_optimiser_that_thinks_in_sequence_has_one_trial_at_a_time(session):
    s = session(PLANE, workers=4, optimizer="Cobyla")
    trial = s.start()
    assert isinstance(s.suggest(), Wait)
    s.report(trial, loss=1.0)
    s.end(trial)
    assert isinstance(s.suggest(), Start)


def test_it_does_not_wait_for_a_paused_trial(session):
    s = session(PLANE, optimizer="Cobyla")
    paused = s.start()
    s.report(paused, 1, loss=1.0)
    s.start()
    assert s.told == [(s.trials[paused].config, 1.0)]
    s.report(paused, 2, loss=0.5)
    s.end(paused)
    assert len(s.told) == 1, "once and for all"


def test_a_suggestion_that_a_modifier_did_not_want_blocks_nobody(session):
    s = session(PLANE, optimizer="Cobyla")
    unwanted = s.suggest().config
    trial = s.start()
    assert s.trials[trial].config != unwanted
    s.report(trial, loss=1.0)
    s.end(trial)
    s.start()


def test_a_run_with_four_workers_and_a_sequential_optimiser_comes_to_its_end():
    results = tuner(searcher=NevergradSearch(optimizer="Cobyla"), executor=FakeExecutor(workers=4)).fit()
    assert len(results) == 20


# --- trials of others, and resuming --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["NGOpt", "Cobyla", "TwoPointsDE", "CMA"])
@pytest.mark.filterwarnings("ignore:nevergrad's")
def test_it_begins_where_the_trials_of_others_were_best(optimizer, session):
    s = session(PLANE, optimizer=optimizer)
    for x in range(-4, 10):
        s.complete((x - 3) ** 2 + 2, {"x": float(x), "y": 2.0})
    s.start()
    assert s.searcher._variables.config(s.searcher._dialogue.root) == {"x": pytest.approx(3.0), "y": pytest.approx(2.0)}


def test_trials_of_others_are_learnt_from(tmp_path):
    def around(results):
        return sum(abs(trial.config["x"] - 0.3) < 1 for trial in results)

    def given(**more):
        return {"param_space": {"x": uniform(-50, 50), "y": uniform(-50, 50)}, "storage_path": tmp_path, **more}

    tuner(**given(searcher=FakeSearcher(), num_samples=200, name="before")).fit()
    before = [str(tmp_path / "before")]
    warm = tuner(**given(searcher=NevergradSearch(optimizer="OnePlusOne"), warm_start=before, name="warm")).fit()
    cold = tuner(**given(searcher=NevergradSearch(optimizer="RandomSearch"), name="cold")).fit()
    assert around(warm) > around(cold)


def test_an_optimiser_that_cannot_learn_from_others_says_so_once(session):
    s = session(PLANE, optimizer="EDA")
    s.complete(1.0)
    with pytest.warns(UserWarning, match="EDA cannot learn from trials that it did not propose"):
        s.complete(2.0, {"x": 1.0, "y": 2.0})
    s.complete(2.0, {"x": 1.0, "y": 2.0})


@pytest.mark.parametrize(
    "optimizer", ["NGOpt", "CMA", "TwoPointsDE", "PSO", "OnePlusOne", "Cobyla", "MetaModel", "CmaFmin2"]
)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_resumed_run_suggests_what_the_uninterrupted_one_would_have(optimizer, workers, tmp_path):
    def given(**more):
        return {"searcher": NevergradSearch(optimizer=optimizer), "executor": FakeExecutor(workers=workers), **more}

    whole = configs(tuner(**given()).fit())
    part = tuner(**given(storage_path=tmp_path, name="run")).open()
    for _ in range(9):
        part.step()
    part.close()
    resumed = Tuner.restore(tmp_path / "run", **given()).fit()
    assert configs(resumed) == whole


@pytest.mark.parametrize("optimizer", ["CmaFmin2", "MetaModel", "PSO"])
def test_global_generators_are_left_alone_even_by_a_thread(optimizer):
    before = random.getstate(), repr(np.random.get_state(legacy=False))
    tuner(searcher=NevergradSearch(optimizer=optimizer)).fit()
    assert (random.getstate(), repr(np.random.get_state(legacy=False))) == before


def test_an_extended_run_goes_on_with_the_plan_that_it_had(tmp_path):
    given = {"searcher": NevergradSearch(), "executor": FakeExecutor()}
    tuner(num_samples=12, storage_path=tmp_path, name="run").fit()
    extended = Tuner.restore(tmp_path / "run", num_samples=20, **given).fit()
    assert configs(extended) == configs(tuner(searcher=NevergradSearch(budget=12)).fit())


def test_resumed_with_another_optimiser_it_learns_from_all_that_there_is(tmp_path):
    tuner(searcher=NevergradSearch(optimizer="RandomSearch"), num_samples=12, storage_path=tmp_path, name="run").fit()
    searcher = NevergradSearch(optimizer="TwoPointsDE")
    heard = []
    run = Tuner.restore(tmp_path / "run", num_samples=14, searcher=searcher, executor=FakeExecutor()).open()
    searcher._dialogue._optimizer.register_callback("tell", lambda _, candidate, loss: heard.append(loss))
    assert searcher._dialogue._optimizer.num_tell == 12
    while run.step():
        pass
    run.close()
    assert len(heard) == 2


def test_two_objectives_find_a_front():
    def train(config):
        return {"cost": config["x"] ** 2 + config["y"], "error": (config["x"] - 2) ** 2 + config["y"]}

    results = Tuner(
        train, param_space=PLANE, metric=["cost", "error"], mode=["min", "min"], num_samples=100, seed=1, loggers=(),
        searcher=NevergradSearch(optimizer="TwoPointsDE"), executor=FakeExecutor(), storage_path=":memory:",
    ).fit()  # fmt: skip
    front = results.pareto_front()
    assert len(front) > 2
    assert all(trial.config["y"] < 5 for trial in front)
