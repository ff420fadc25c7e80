"""with_parameters: what every trial gets beside its config."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.parameters import put_together, taken_apart

DATA = [1.0, 2.0, 3.0]


def train(config, data, scale=1.0):
    """Adds up."""
    mt.report(loss=scale * sum(data))


class Adds(mt.Trainable):
    def setup(self, config, data):
        self.data = data

    def step(self):
        return {"loss": sum(self.data), "same": self.data is DATA, "done": True}


def test_a_function_gets_its_parameters(tuner):
    results = tuner(mt.with_parameters(train, data=DATA, scale=2.0)).fit()
    assert results[0].metrics["loss"] == 12.0


def test_the_setup_of_a_class_gets_its_parameters(tuner):
    results = tuner(mt.with_parameters(Adds, data=DATA)).fit()
    assert (results[0].metrics["loss"], results[0].metrics["same"]) == (6.0, True)


@pytest.mark.parametrize("trainable", [train, Adds])
def test_it_keeps_its_name(trainable):
    bound = mt.with_parameters(trainable, data=DATA)
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        assert getattr(bound, name) == getattr(trainable, name)


@pytest.mark.parametrize("trainable", [train, Adds])
def test_it_can_be_taken_apart_and_put_together_again(trainable):
    bare, parameters = taken_apart(mt.with_parameters(trainable, data=DATA))
    assert (bare, parameters) == (trainable, {"data": DATA})
    assert taken_apart(put_together(bare, parameters)) == (bare, parameters)
    assert taken_apart(trainable) == (trainable, {})
    assert put_together(trainable, {}) is trainable


def test_parameters_may_be_added_and_the_last_one_counts(tuner):
    twice = mt.with_parameters(mt.with_parameters(train, data=[0.0], scale=3.0), data=DATA)
    assert taken_apart(twice) == (train, {"data": DATA, "scale": 3.0})
    assert tuner(twice).fit()[0].metrics["loss"] == 18.0


def test_a_class_that_is_derived_from_one_with_parameters_is_a_class_of_its_own(tuner):
    class Doubles(mt.with_parameters(Adds, data=DATA)):
        def step(self):
            return {"loss": 2 * sum(self.data), "done": True}

    assert taken_apart(Doubles) == (Doubles, {})
    assert tuner(Doubles).fit()[0].metrics["loss"] == 12.0


def test_a_trainable_in_text_is_imported():
    assert taken_apart(mt.with_parameters(f"{__name__}:train", data=DATA))[1] == {"data": DATA}


@pytest.mark.parametrize(
    ("trainable", "parameters", "match"),
    [
        (train, {"date": 1}, r"with_parameters: train\(config, data, scale=1.0\) cannot be called with \(config, date=...\)"),
        (train, {}, "missing a required argument: 'data'"),
        (Adds, {"dat": 1}, r"Adds.setup\(self, config, data\) cannot be called with \(config, dat=...\)"),
        (mt.Trainable, {"data": 1}, r"Trainable has no setup\(self, config, data\) to get them"),
        (7, {"data": 1}, "trainable is 7: give a function of config"),
        ("nowhere:train", {"data": 1}, "the module cannot be imported"),
    ],
)
def test_what_cannot_work_is_refused_at_once(trainable, parameters, match):
    with pytest.raises(mt.OptionError, match=match):
        mt.with_parameters(trainable, **parameters)


def test_a_resume_asks_for_the_parameters_again(tuner, restored):
    tuner(mt.with_parameters(train, data=DATA)).fit()
    with pytest.raises(mt.OptionError, match="trainable"):
        restored(None)
    assert len(restored(mt.with_parameters(train, data=DATA), num_samples=2).fit()) == 2
