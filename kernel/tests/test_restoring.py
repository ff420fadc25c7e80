"""Which changes Tuner.restore refuses; what it does with the others is in test_tuner.py, test_replay.py and test_reopen.py."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import FakeSearcher


def train(config):
    mt.report(loss=config.get("x", 0.5))


def another(config):
    mt.report(loss=0.0)


class AnotherClass(mt.Trainable):
    def step(self):
        return {"loss": 0.0, "done": True}


@pytest.mark.parametrize("number", [1, 2])
def test_fewer_trials_than_there_are_is_an_error(number, tuner, restored, journalled):
    tuner(train, num_samples=3).fit()
    before = journalled()
    with pytest.raises(mt.OptionError, match=rf"num_samples={number} is the number of all trials, .* has 3 already: give at"):
        restored(train, num_samples=number)
    assert journalled() == before


def test_fewer_trials_than_were_asked_for_may_be_enough(tuner, restored):
    tuner(train, num_samples=10, time_budget_s=4).fit()
    there = len(mt.ResultGrid(restored(train).path))
    assert there < 10
    assert len(restored(train, num_samples=there, time_budget_s=None).fit()) == there


def test_fewer_than_without_end_are_refused_as_well(tuner, restored):
    tuner(train, num_samples=None, time_budget_s=3).fit()
    with pytest.raises(mt.OptionError, match="num_samples=1 is the number of all trials"):
        restored(train, num_samples=1)


def test_what_a_scheduler_made_beyond_the_number_is_no_reason_to_refuse_more(tuner, restored):
    class Founder:
        def __init__(self):
            self.made = 0

        @mt.hookimpl
        def suggest(self, run, rng):
            return mt.Start(run.space.sample(rng)) if self.made < 5 else None

        @mt.hookimpl
        def on_start(self):
            self.made += 1

    assert len(tuner(train, num_samples=2, scheduler=Founder()).fit()) == 5
    assert len(restored(train, num_samples=3, scheduler=Founder()).fit()) == 5


@pytest.mark.parametrize("other", [another, AnotherClass, f"{__name__}:another"])
def test_another_trainable_is_an_error(other, tuner, restored):
    tuner(train).fit()
    with pytest.raises(mt.OptionError, match=r"has tuned the trainable 'train', not '[aA]nother.*', .*warm_start=\['"):
        restored(other)


def test_the_same_trainable_may_have_been_changed_and_moved(tuner, restored, tmp_path, monkeypatch):
    (tmp_path / "moved_here.py").write_text("def train(config):\n    return {'loss': 0.25}\n")
    monkeypatch.syspath_prepend(tmp_path)
    tuner(train, num_samples=1).fit()
    results = restored("moved_here:train", num_samples=2).fit()
    assert [trial.metrics["loss"] == 0.25 for trial in results] == [False, True]


def test_a_trainable_that_the_journal_could_not_hold_is_known_by_its_name(tuner, restored):
    def inner(config):
        return {"loss": 1.0}

    def other(config):
        return {"loss": 1.0}

    tuner(inner).fit()
    with pytest.raises(mt.OptionError, match="has tuned the trainable 'inner', not 'other'"):
        restored(other)
    assert len(restored(inner, num_samples=2).fit()) == 2


def test_a_lambda_has_no_name_to_be_known_by(tuner, restored):
    tuner(lambda config: 1.0).fit()
    assert len(restored(train, num_samples=2).fit()) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_sample": 3}, "restore\\(\\) takes the arguments of Tuner, not num_sample"),
        ({"metric": ["loss", "size"]}, "mode"),
        ({"searcher": "microtune.testing.fakes.FakeSearcher:no_such=1"}, "has no option 'no_such'"),
        ({"param_space": {}}, "param_space is empty"),
        ({"warm_start": ["nowhere"]}, "warm_start: there is no run in"),
    ],
)
def test_a_wrong_change_is_one_error_and_changes_nothing(changes, message, tuner, restored, journalled):
    tuner(train).fit()
    before = journalled()
    with pytest.raises(mt.OptionError, match=message):
        restored(train, **changes).fit()
    assert journalled() == before


def test_a_folder_that_is_no_run_is_an_error(restored, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(mt.RunError, match=r"there is no run in .*folder': it holds no journal\.db"):
        restored(train, folder=tmp_path / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(mt.RunError, match="there is no run in"):
        restored(train, folder=tmp_path / "file", searcher=FakeSearcher())
