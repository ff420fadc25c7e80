from __future__ import annotations

import pytest

import microtune as mt
from microtune.objective import Objective


def facts(**changes):
    given = {
        "id": "a1", "name": "run", "path": "/runs/run", "seed": 3, "space": mt.Space({"x": mt.uniform(0, 1)}),
        "objective": Objective("loss", "min"), "num_samples": 5, "limits": mt.Limits(), "resources": {"cpu": 1.0},
        "trainable": print,
    }  # fmt: skip
    return mt.Facts(**{**given, **changes})


def test_a_plugin_draws_from_generators_of_its_own():
    run = facts()
    assert run.rng("bracket", 3).random() == run.rng("bracket", 3).random() == facts().rng("bracket", 3).random()
    assert run.rng("bracket", 3).random() != run.rng("bracket", 4).random()
    assert run.rng("bracket", 3).random() != facts(seed=4).rng("bracket", 3).random()


def test_two_runs_share_no_lists():
    facts().capacity["cpu"] = 1.0
    assert facts().capacity == {}
    assert facts().checkpoints == {}


def test_there_are_no_trials_and_nothing_can_be_added():
    run = facts()
    assert not hasattr(run, "trials")
    with pytest.raises(AttributeError):
        run.trials = []


def test_by_default_a_run_has_one_trial_and_no_time_limit():
    assert mt.Limits() == (None, None, None, 10.0, 1)
