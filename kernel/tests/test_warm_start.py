"""warm_start, when the earlier run is another one than one would like. What is told is in test_modifiers.py."""

from __future__ import annotations

import os
import shutil

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher


def train(config):
    for step in (1, 2):
        mt.report(loss=config["x"] / step, accuracy=1 - config["x"])


class Best:
    """Proposes near the best that it was told of, from whichever run."""

    def __init__(self):
        self.best, self.configs, self.warm = None, {}, []

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start({"x": (self.best[1] if self.best else 0.5) * rng.random()})

    @mt.hookimpl
    def on_start(self, trial):
        self.configs[trial.id] = trial.config["x"]
        if trial.number < 0:
            self.warm.append(trial.config["x"])

    @mt.hookimpl
    def on_result(self, run, trial, result):
        self.best = max(self.best or (float("-inf"), 0), (run.objective.score(result), self.configs[trial.id]))


@pytest.fixture
def earlier(tuner, tmp_path):
    configs = [{"x": x / 10} for x in (8, 6, 7)]
    tuner(train, name="earlier", num_samples=3, searcher=FakeSearcher(configs=configs)).fit()
    return tmp_path / "earlier"


def warm(tuner, *paths, **more):
    searcher = Best()
    results = tuner(train, **{"searcher": searcher, "warm_start": paths, "num_samples": 2, **more}).fit()
    return searcher.warm, [trial.config["x"] for trial in results]


# --- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "mode"), [("accuracy", "max"), ("loss", "max"), ("accuracy", "min")])
def test_another_metric_or_mode_makes_no_difference_to_what_is_told(metric, mode, earlier, tuner):
    assert warm(tuner, earlier, metric=metric, mode=mode)[0] == [0.8, 0.6, 0.7]


def test_a_run_that_lacks_the_metric_teaches_nothing_and_that_is_said(earlier, tuner, caplog):
    def other(config):
        mt.report(size=config["x"])

    searcher = Best()
    tuner(other, metric="size", searcher=searcher, warm_start=[earlier]).fit()
    assert searcher.warm == []
    assert "earlier has no finished trial that lies in the space and reported size" in caplog.text


def test_a_trial_that_never_reported_the_metric_is_left_out(tuner, tmp_path):
    def sometimes(config):
        mt.report(loss=1.0, **({"accuracy": 0.5} if config["x"] < 0.5 else {}))

    tuner(sometimes, name="earlier", num_samples=2, searcher=FakeSearcher(configs=[{"x": 0.9}, {"x": 0.1}])).fit()
    assert warm(tuner, tmp_path / "earlier", metric="accuracy", mode="max")[0] == [0.1]


def test_another_space_takes_what_lies_in_it(earlier, tuner, caplog):
    assert warm(tuner, earlier, param_space={"x": mt.uniform(0, 0.65)})[0] == [0.6]
    assert warm(tuner, earlier, param_space={"x": mt.uniform(0, 1), "y": mt.uniform(0, 1)}, name="more")[0] == []
    assert "the searcher learns nothing from it" in caplog.text


def test_a_run_that_goes_on_may_be_learnt_from(tuner, opened):
    run = opened(tuner(train, name="going", num_samples=5))
    while run.counts["COMPLETED"] < 2:
        run.step()
    assert len(warm(tuner, run.facts.path)[0]) == 2


@pytest.mark.parametrize("what", ["nothing", "a file", "another folder", "a run that never began"])
def test_what_is_no_run_is_one_clear_error(what, tuner, tmp_path):
    from microtune.journal import Journal

    path = tmp_path / "no-run"
    if what == "a file":
        path.touch()
    elif what == "another folder":
        path.mkdir()
    elif what == "a run that never began":
        Journal(str(path), create=True).close()
    with pytest.raises(mt.OptionError, match=r"warm_start: (there is no run in|the run in .* was ended before it began)"):
        warm(tuner, path)
    assert not (tmp_path / "run").exists()


def test_a_run_cannot_learn_from_itself(earlier, tuner, restored):
    warm(tuner, earlier)
    with pytest.raises(mt.OptionError, match="is the run itself, whose searcher knows its trials anyway: leave it out"):
        restored(train, warm_start=[restored(train).path]).fit()


# --- what a resume does when the earlier run is another one now ------------------------------------------------------


def whole_and_half(tuner, earlier, **more):
    """The configs of a run of six trials; and the same run, ended after three."""
    whole = warm(tuner, earlier, num_samples=6, name="whole")[1]
    warm(tuner, earlier, num_samples=3, **more)
    return whole


def resumed(restored, **changes):
    searcher = Best()
    results = restored(train, searcher=searcher, num_samples=6, **changes).fit()
    return searcher.warm, [trial.config["x"] for trial in results]


def test_a_resume_makes_the_same_suggestions(earlier, tuner, restored):
    whole = whole_and_half(tuner, earlier)
    assert resumed(restored) == ([0.8, 0.6, 0.7], whole)


def test_a_resume_makes_the_same_suggestions_also_where_the_earlier_run_has_gone_on(earlier, tuner, restored):
    whole = whole_and_half(tuner, earlier)
    best = FakeSearcher(configs=[{"x": 0.01}] * 9)
    mt.Tuner.restore(earlier, train, num_samples=5, searcher=best, executor=FakeExecutor()).fit()
    assert len(mt.ResultGrid(earlier)) == 5
    assert resumed(restored) == ([0.8, 0.6, 0.7], whole)


def test_a_resume_makes_the_same_suggestions_where_the_earlier_run_was_moved_and_that_is_said(earlier, tuner, restored):
    whole = whole_and_half(tuner, earlier)
    moved = os.fspath(shutil.move(earlier, f"{earlier}-moved"))
    mt.Tuner.restore(moved, train, num_samples=5, searcher=FakeSearcher(), executor=FakeExecutor()).fit()
    with pytest.raises(mt.OptionError, match=r"warm_start: there is no run in .*\. If it was moved, give all the runs again"):
        resumed(restored)
    assert resumed(restored, warm_start=[moved]) == ([0.8, 0.6, 0.7], whole)
    assert resumed(restored)[1] == whole, "it knows the new place now"


def test_a_run_goes_on_without_an_earlier_one_that_was_deleted_if_it_is_told_to(earlier, tuner, restored, journalled):
    whole = whole_and_half(tuner, earlier)
    shutil.rmtree(earlier)
    with pytest.raises(mt.OptionError, match=r"to go on without .*, leave it out \(warm_start=\[\], --warm-start none"):
        resumed(restored)
    told, configs = resumed(restored, warm_start=[])
    assert (told, configs[:3]) == ([], whole[:3])
    settings = journalled("changed")[-1].body["settings"]
    assert (settings["warm_start"], settings["warm_started"]) == ([], [])


def test_an_earlier_run_that_has_less_than_it_had_is_an_error(earlier, tuner, restored, tmp_path):
    shutil.copytree(earlier, tmp_path / "backup")
    mt.Tuner.restore(earlier, train, num_samples=5, searcher=FakeSearcher(), executor=FakeExecutor()).fit()
    warm(tuner, earlier)
    shutil.rmtree(earlier)
    shutil.move(tmp_path / "backup", earlier)
    with pytest.raises(mt.OptionError, match=r"warm_start: the run in .* has \d+ events; this run was told \d+ of them"):
        resumed(restored)


def test_one_more_run_is_told_as_it_is_now(earlier, tuner, restored, tmp_path):
    whole_and_half(tuner, earlier)
    assert resumed(restored, warm_start=[earlier, tmp_path / "whole"])[0][:3] == [0.8, 0.6, 0.7]
    assert len(resumed(restored)[0]) == 9
