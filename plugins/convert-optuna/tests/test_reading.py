"""A study as a run: studies of Optuna's own making, and those that were runs before."""

from __future__ import annotations

import os
import pickle
import shutil
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

import microtune as mt
from microtune_convert_optuna import read, write


@pytest.fixture
def at(tmp_path):
    return f"{tmp_path}/studies.log"  # many times faster than a database


@pytest.fixture
def storage(at):
    return JournalStorage(JournalFileBackend(at))


@pytest.fixture
def back(tmp_path):
    """Read a study and open the run."""

    def make(place, name="back", **options):
        read(place, str(tmp_path / name), **options)
        return mt.ResultGrid(tmp_path / name)

    return make


def objective(trial):
    x = trial.suggest_float("x", 1e-3, 1.0, log=True)
    layers = trial.suggest_int("layers", 1, 9)
    act = trial.suggest_categorical("act", ["relu", "tanh", None])
    if act == "tanh":
        trial.suggest_float("only", 0, 1)
    for step in range(3):
        trial.report(x + layers / (step + 1), step)
        if trial.number == 1:
            raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("no good")
    trial.set_user_attr("size", layers * 10)
    return x + layers / 3


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A study in a database, which takes a while."""
    path = tmp_path_factory.mktemp("database") / "studies.db"
    made = optuna.create_study(storage=f"sqlite:///{path}", study_name="mine", sampler=optuna.samplers.RandomSampler(seed=1))
    made.optimize(objective, n_trials=8, catch=(ValueError,))
    made.enqueue_trial({"x": 0.5})
    return path


@pytest.fixture
def db(database, tmp_path):
    """A copy, to be written to."""
    return f"sqlite:///{shutil.copy(database, tmp_path / 'studies.db')}"


@pytest.fixture
def study(db):
    return optuna.load_study(study_name="mine", storage=db)


def test_a_study_is_a_run(study, db, back):
    grid = back(db)
    assert [trial.state for trial in grid] == ["COMPLETED", "STOPPED", "FAILED", *["COMPLETED"] * 5]
    assert [trial.config for trial in grid] == [trial.params for trial in study.trials[:8]]
    best = grid.get_best_result()
    assert best.metrics["value"] == study.best_value
    assert best.number == study.best_trial.number
    assert grid.settings["mode"] == "min"
    assert "study 'mine'" in grid.settings["imported_from"]


def test_intermediate_values_are_results_counted_from_one(study, db, back):
    grid = back(db)
    for trial, past in zip(grid, study.trials, strict=False):
        reported = [past.intermediate_values[step] for step in sorted(past.intermediate_values)]
        # What the objective returned last is the value that it reported last, but for a rounding error in one place.
        assert [row["value"] for row in trial.history][: len(reported)] == reported
        assert [row["training_iteration"] for row in trial.history] == list(range(1, len(trial.history) + 1))
    assert grid[0].metrics["value"] == study.trials[0].value


def test_times_are_those_of_the_study(study, db, back):
    grid = back(db)
    spans = {}
    for event in grid.events():
        if event.trial is not None:
            spans.setdefault(event.trial, []).append(event.at)
    for trial in study.trials[:8]:
        found = spans[f"{trial.number:05d}"]
        assert found[0] == pytest.approx(trial.datetime_start.timestamp(), abs=1e-3)
        assert found[-1] == pytest.approx(trial.datetime_complete.timestamp(), abs=1e-3)


def test_the_space_is_that_of_the_distributions_and_holds_every_config(study, db, back):
    space = mt.Space.from_json(back(db).settings["param_space"])
    assert space == mt.Space(
        {"x": mt.loguniform(1e-3, 1.0), "layers": mt.randint(1, 10), "act": mt.choice(["relu", "tanh", None])}
    )
    assert all(space.contains(trial.params) for trial in study.trials[:8])


def test_numbers_and_texts_that_the_user_noted_are_metrics(study, db, back):
    assert back(db)[0].metrics["size"] == study.trials[0].user_attrs["size"]


RANGES = [
    (FloatDistribution(0.0, 1.0, step=0.25), mt.quniform(0.0, 1.0, 0.25)),
    (FloatDistribution(0.05, 1.05, step=0.1), mt.uniform(0.05, 1.05)),  # not the multiples of 0.1
    (FloatDistribution(0.5, 0.5), mt.Float(0.5, 0.5)),
    (IntDistribution(2, 10, step=2), mt.qrandint(2, 10, 2)),
    (IntDistribution(1, 9, step=2), mt.randint(1, 10)),
    (IntDistribution(1, 64, log=True), mt.lograndint(1, 65)),
    (CategoricalDistribution([True, 2, "x"]), mt.choice([True, 2, "x"])),
]


@pytest.mark.parametrize(("distribution", "domain"), RANGES)
def test_a_distribution_is_the_domain_with_the_same_values(distribution, domain, at, back, storage):
    value = distribution.choices[0] if isinstance(distribution, CategoricalDistribution) else distribution.low
    made = optuna.create_study(storage=storage)
    made.add_trial(create_trial(value=1.0, params={"p": value}, distributions={"p": distribution}))
    assert mt.Space.from_json(back(at).settings["param_space"]) == mt.Space({"p": domain})


def test_a_range_that_changed_on_the_way_is_as_wide_as_all_of_them(at, back, storage):
    made = optuna.create_study(storage=storage)
    for high in (1.0, 5.0, 2.0):
        made.add_trial(create_trial(value=1.0, params={"p": high}, distributions={"p": FloatDistribution(high / 2, high)}))
    assert mt.Space.from_json(back(at).settings["param_space"]) == mt.Space({"p": mt.uniform(0.5, 5.0)})


def test_several_objectives_are_several_metrics(at, back, storage):
    made = optuna.create_study(storage=storage, directions=["minimize", "maximize"])
    made.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1 - trial.params["x"]), n_trials=4)
    grid = back(at)
    assert grid.objective.metrics == ("value_0", "value_1")
    assert sorted(t.number for t in grid.pareto_front()) == sorted(t.number for t in made.best_trials)
    named = optuna.create_study(storage=storage, study_name="named", directions=["minimize", "maximize"])
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        named.set_metric_names(["loss", "speed"])
    assert back(at, "second", study="named").objective.metrics == ("loss", "speed")


def test_a_trial_that_still_runs_is_pending(at, back, storage):
    made = optuna.create_study(storage=storage)
    trial = made.ask({"x": FloatDistribution(0, 1)})
    trial.report(0.5, 3)
    grid = back(at)
    assert [(each.state, each.metrics["training_iteration"]) for each in grid] == [("PENDING", 3)]
    assert grid.closed["finished"] is False


def test_one_of_several_studies_is_named(study, db, back, tmp_path):
    optuna.create_study(storage=db, study_name="other")
    with pytest.raises(mt.OptionError, match=r"has the studies 'mine', 'other'|has the studies 'other', 'mine'"):
        back(db)
    with pytest.raises(mt.OptionError, match="there is no study 'none'"):
        back(db, study="none")
    assert not (tmp_path / "back").exists()
    assert len(back(db, study="mine")) == 8


def test_a_file_that_is_not_there_is_not_made(tmp_path, back):
    for place in (f"sqlite:///{tmp_path}/none.db", f"{tmp_path}/none.db", f"{tmp_path}/none.log"):
        with pytest.raises(mt.RunError, match="there is no file"):
            back(place)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "message"), [("text.db", "not a database"), ("text.log", "JSONDecodeError")])
def test_a_file_that_holds_no_studies_is_said(name, message, tmp_path, back):
    (tmp_path / name).write_text("this is no database,\nwhatever its name says\n")
    with pytest.raises(mt.RunError, match=f"cannot be used.*{message}"):
        back(str(tmp_path / name))


def test_a_database_without_a_study_is_said(at, back, storage):
    optuna.delete_study(study_name=optuna.create_study(storage=storage).study_name, storage=storage)
    with pytest.raises(mt.RunError, match="has no study"):
        back(at)


def test_the_studies_are_left_as_they_are(study, db, back, tmp_path):
    before = (tmp_path / "studies.db").read_bytes()
    back(db)
    assert (tmp_path / "studies.db").read_bytes() == before


def test_nothing_is_unpickled(study, db, back, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something was unpickled")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    assert len(back(db)) == 8


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["sqlite:///{}/studies.db", "{}/studies.log"])
def test_a_run_comes_back_as_it_was(place, run, back, tmp_path):
    grid = run()
    write(grid, place.format(tmp_path))
    again = back(place.format(tmp_path))
    for old, new in zip(grid, again, strict=True):
        assert (old.id, old.number, old.config, old.state, old.reason, old.error) == (
            new.id, new.number, new.config, new.state, new.reason, new.error,
        )  # fmt: skip
        kept = [(row["loss"], row["training_iteration"]) for row in old.history]
        assert [(row["loss"], row["training_iteration"]) for row in new.history] == kept
        assert old.metrics.get("time_total_s") == new.metrics.get("time_total_s")
        if old.metrics:
            assert new.metrics["eval/acc"] == old.metrics["eval"]["acc"]
    assert {key: again.settings[key] for key in ("metric", "mode", "param_space")} == {
        key: grid.settings[key] for key in ("metric", "mode", "param_space")
    }


def test_a_study_comes_back_as_it_was(study, db, back):
    write(back(db), db, study="again")
    again = optuna.load_study(study_name="again", storage=db)
    for old, new in zip(study.trials[:8], again.trials, strict=True):
        assert (old.state, old.value) == (new.state, new.value)
        assert new.user_attrs.get("config", new.params) == old.params
        assert abs(old.datetime_complete - new.datetime_complete) < timedelta(milliseconds=1)
        assert new.datetime_start < datetime.now()  # noqa: DTZ005, as Optuna has it
    assert again.best_value == study.best_value
    assert again.trials[1].state == TrialState.PRUNED


def test_several_objectives_come_back(at, run, back):
    trials = [mt.PastTrial({"x": x}, results=[mt.Result({"a": x, "b": 1 - x}, 4, 2.0, 1e9)]) for x in (0.25, 0.5)]
    grid = run(trials=trials, param_space={"x": mt.uniform(0, 1)}, metric=["a", "b"], mode=["min", "max"])
    write(grid, at)
    assert [trial.metrics for trial in back(at)] == [trial.metrics for trial in grid]
