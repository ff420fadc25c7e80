from __future__ import annotations

import pytest

from microtune import OptionError, Tuner, uniform
from microtune.testing import FakeExecutor
from microtune.testing.contract import finish
from microtune_search_optuna import OptunaSearch


def layers(trial):
    count = trial.suggest_int("count", 1, 3)
    return {"widths": [trial.suggest_int(f"width{i}", 8, 64, log=True) for i in range(count)], "count": count}


def total(config):
    return {"loss": abs(sum(config["widths"]) - 100) / 100}


def tuner(**more):
    given = {
        "param_space": {"epochs": 3}, "metric": "loss", "mode": "min", "num_samples": 30, "seed": 1, "storage_path": ":memory:",
        "loggers": (), "executor": FakeExecutor(), "searcher": OptunaSearch(space=layers), **more,
    }  # fmt: skip
    return Tuner(total, **given)


def test_a_space_may_be_a_function_of_the_optuna_trial():
    results = finish(tuner())
    assert len(results) == 30
    for trial in results:
        assert trial.config["epochs"] == 3
        assert len(trial.config["widths"]) == trial.config["count"]
        assert all(8 <= width <= 64 for width in trial.config["widths"])


def test_there_need_be_no_other_space():
    assert all(trial.config.keys() == {"widths", "count"} for trial in finish(tuner(param_space={}, num_samples=5)))
    with pytest.raises(OptionError, match="param_space is empty"):
        tuner(param_space={}, searcher=OptunaSearch()).open()


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_a_run_whose_space_is_a_function_is_resumed_exactly(sampler, tmp_path):
    def searcher():
        return OptunaSearch(space=layers, sampler=sampler)

    whole = [trial.config for trial in finish(tuner(searcher=searcher()))]
    finish(tuner(searcher=searcher(), num_samples=17, storage_path=tmp_path, name="run"))
    more = Tuner.restore(
        tmp_path / "run", total, num_samples=30, searcher=searcher(), executor=FakeExecutor(), loggers=()
    )
    assert [trial.config for trial in finish(more)] == whole


def test_a_function_adds_to_the_declared_space_and_hears_of_points(search, facts):
    def flat(trial):
        return {"y": trial.suggest_float("y", 0, 1)}

    s = search(facts({"x": uniform(0, 1)}), space=flat)
    assert s.one().keys() == {"x", "y"}
    s.start({"x": 0.5, "y": 0.25})
    assert s["00001"].params == {"x": 0.5, "y": 0.25}
    one = s.start({"x": 0.5})
    s.report(one, loss=1.0)
    s.end(one)
    assert s.states == ["COMPLETE", "RUNNING", "FAIL"]  # Optuna cannot be told of a trial without y
