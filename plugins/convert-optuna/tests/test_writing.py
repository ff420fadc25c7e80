"""A run as a study, as Optuna itself reads it."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import microtune as mt
from microtune import PastTrial
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher
from microtune_convert_optuna import write


@pytest.fixture(params=["sqlite:///{}/studies.db", "{}/studies.db", "{}/studies.log"])
def place(request, tmp_path):
    return request.param.format(tmp_path)


@pytest.fixture
def at(tmp_path):
    return f"{tmp_path}/studies.log"  # many times faster than a database


def storage_of(place):
    if place.endswith(".log"):
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(place))
    return place if "://" in place else f"sqlite:///{place}"


def load(place, name="run"):
    return optuna.load_study(study_name=name, storage=storage_of(place))


def test_every_trial_is_there_with_its_state_values_and_times(run, place):
    write(run(), place)
    trials = load(place).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE", "RUNNING"]
    assert [trial.values for trial in trials] == [[0.25], [0.95], None, [0.125], None]
    assert [trial.intermediate_values for trial in trials] == [
        {1: 0.9, 2: 0.5, 3: 0.25}, {1: 0.95}, {}, {1: 0.8, 2: 0.125}, {1: 0.7},
    ]  # fmt: skip
    assert [trial.datetime_start.timestamp() for trial in trials] == [1e9 + i for i in range(5)]
    assert [t.datetime_complete and t.datetime_complete.timestamp() - 1e9 for t in trials] == [4.0, 2.0, 3.0, 5.5, None]


def test_the_best_of_the_study_is_the_best_of_the_run(run, at):
    grid = run()
    write(grid, at)
    study, best = load(at), grid.get_best_result()
    assert study.best_value == best.metrics["loss"] == 0.125
    assert study.best_trial.user_attrs["id"] == best.id
    assert study.metric_names == ["loss"]
    assert study.direction == optuna.study.StudyDirection.MINIMIZE


def test_a_range_is_what_it_was_and_what_optuna_cannot_hold_is_said_otherwise(run, past, at):
    write(run(), at)
    trial = load(at).trials[0]
    assert trial.distributions == {
        "lr": FloatDistribution(1e-5, 1e-1, log=True), "momentum": FloatDistribution(0.0, 0.9, step=0.1),
        "width": IntDistribution(8, 64, log=True), "layers": IntDistribution(1, 4),
        "act": CategoricalDistribution(["relu", "tanh", None]), "sizes": CategoricalDistribution(["[8]", "[8, 8]"]),
        "flag": CategoricalDistribution(["true", "1", "0"]), "shift": FloatDistribution(-6.0, 7.5),
        "opt": CategoricalDistribution(["kind=sgd", "kind=adam"]), "opt/1/beta": FloatDistribution(0.8, 1.0),
    }  # fmt: skip
    assert trial.params["opt"] == "kind=adam"
    assert trial.params["shift"] == 7.5
    assert trial.user_attrs["config"] == past.config(0)


def test_all_trials_have_the_same_distributions_else_optuna_would_refuse_its_plots(run, at):
    write(run(), at)
    for name in ("lr", "shift", "sizes"):
        assert len({str(trial.distributions[name]) for trial in load(at).trials}) == 1


def test_what_optuna_has_no_place_for_is_a_user_attribute(run, at):
    write(run(), at)
    done, pruned, failed, *_ = (trial.user_attrs for trial in load(at).trials)
    assert done["id"] == "00000"
    assert done["metrics/eval/acc"] == 0.75
    assert "metrics/loss" not in done
    assert pruned["reason"] == "below the median"
    assert (failed["reason"], failed["error"]) == ("ValueError: no", "Traceback\nValueError: no")


def test_a_config_that_its_parameters_say_in_full_is_not_said_again(run, at):
    write(run(param_space={"x": mt.uniform(0, 1)}, trials=[PastTrial({"x": 0.5})]), at)
    assert "config" not in load(at).trials[0].user_attrs


def test_a_config_outside_the_space_keeps_what_lies_inside(run, at):
    space = {"x": mt.uniform(0, 1), "y": mt.uniform(0, 1)}
    write(run(param_space=space, trials=[PastTrial({"x": 0.5, "y": 3.0})]), at)
    (trial,) = load(at).trials
    assert trial.params == {"x": 0.5}
    assert trial.user_attrs["config"] == {"x": 0.5, "y": 3.0}


def test_several_objectives_have_their_directions_and_values(run, at):
    trials = [PastTrial({"x": x}, results=[mt.Result({"a": x, "b": 1 - x}, 1, 0.0, 5.0)]) for x in (0.25, 0.5)]
    grid = run(trials=trials, param_space={"x": mt.uniform(0, 1)}, metric=["a", "b"], mode=["min", "max"])
    write(grid, at)
    study = load(at)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert [trial.values for trial in study.trials] == [[0.25, 0.75], [0.5, 0.5]]
    assert sorted(t.user_attrs["id"] for t in study.best_trials) == sorted(t.id for t in grid.pareto_front())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_trial_whose_last_value_is_no_number_failed_for_optuna_which_would_rank_it(value, run, past, at):
    endless = PastTrial(past.config(1), results=past.results(0.5, value, began=1e9))
    write(run(trials=[endless, past.trials[3]], mode="max"), at)
    study = load(at)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[0].user_attrs["state"] == "COMPLETED"
    assert study.best_value == 0.125


def test_a_study_that_is_there_is_left_alone(run, at):
    write(run(), at)
    with pytest.raises(mt.RunError, match=r"has a study 'run' already.*study=NAME"):
        write(run("other/run"), at)
    assert len(load(at).trials) == 5
    write(run("third"), at, study="again")
    assert sorted(optuna.get_all_study_names(storage_of(at))) == ["again", "run"]


def test_a_study_that_cannot_be_written_to_its_end_is_taken_back(run, at, monkeypatch):
    grid = run()

    def full(self, trials):
        self.add_trial(trials[0])
        raise OSError("the disk is full")

    monkeypatch.setattr(optuna.Study, "add_trials", full)
    with pytest.raises(mt.RunError, match="the disk is full"):
        write(grid, at)
    assert optuna.get_all_study_names(storage_of(at)) == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "say where the study goes"),
        ("sqlite:///", "is in memory"),
        ("://", "no address of a database"),
        ("sqlite:////no/such/folder/at.db", "unable to open database file"),
    ],
)
def test_a_target_that_cannot_be_is_said(target, message, run):
    with pytest.raises(mt.MicrotuneError, match=message):
        write(run(), target)


def test_a_password_is_in_no_error(run):
    with pytest.raises(mt.RunError) as caught:
        write(run(), "postgresql+nodriver://me:secret@localhost/studies")
    assert "secret" not in str(caught.value)


# --- runs that happened here -----------------------------------------------------------------------------------------


def train(config):
    for step in range(1, 5):
        mt.report(loss=config["x"] / step)


def tuned(tmp_path, **given):
    fakes = {"executor": FakeExecutor(), "loggers": [], "storage_path": tmp_path, "name": "run", "seed": 1}
    configs = [{"x": 0.8}, {"x": 0.2}, {"x": 0.4}]
    return mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=3,
        searcher=FakeSearcher(configs=configs), **fakes, **given,
    ).fit()  # fmt: skip


def test_who_was_cut_short_is_pruned_and_who_was_stopped_at_the_end_is_complete(tmp_path, at):
    class Halving:
        """Cuts the worst short, and ends the others at their third result."""

        @mt.hookimpl
        def decide(self, trial, result):
            if trial.config["x"] > 0.5:
                return mt.Stop("its rung")
            return mt.Stop("the last rung", finished=True) if result.training_iteration == 3 else None

    grid = tuned(tmp_path, scheduler=Halving())
    assert {trial.state for trial in grid} == {"STOPPED"}
    write(grid, at)
    study = load(at)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "COMPLETE"]
    assert study.best_value == grid.get_best_result().metrics["loss"]


def test_who_a_stop_rule_ended_is_complete(tmp_path, at):
    grid = tuned(tmp_path, stop="loss < 0.15", scheduler=FakeScheduler())
    assert [trial.state for trial in grid] == ["COMPLETED", "STOPPED", "STOPPED"]
    write(grid, at)
    assert [trial.state.name for trial in load(at).trials] == ["COMPLETE", "COMPLETE", "COMPLETE"]
