"""Tuner: fit, and restore. What it refuses is in test_arguments.py."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import microtune as mt
from microtune import ResultGrid
from microtune.journal import Journal
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher, fake_dist

SPACE = {"x": mt.uniform(0, 1)}


def curve(config):
    for i in range(3):
        mt.report(loss=config["x"] + i)


def saving(config):
    start = int((mt.get_checkpoint() / "i").read_text()) if mt.get_checkpoint() else 0
    for i in range(start, 3):
        folder = mt.checkpoint_dir()
        (folder / "i").write_text(str(i + 1))
        mt.report(loss=config["x"] + i, checkpoint=folder)


def tuner(trainable=curve, path=":memory:", **changes):
    given = {
        "param_space": SPACE, "metric": "loss", "mode": "min", "num_samples": 3, "searcher": FakeSearcher(),
        "executor": FakeExecutor(), "loggers": (), "storage_path": path, "name": "run", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, **{**given, **changes})


def restore(path, trainable=None, **changes):
    return mt.Tuner.restore(path, trainable, **{"searcher": FakeSearcher(), "executor": FakeExecutor(), **changes})


def told(results):
    return [(trial.state, trial.config, [row["loss"] for row in trial.history]) for trial in results]


# --- fit -------------------------------------------------------------------------------------------------------------


def test_fit_runs_every_trial_and_returns_the_results():
    results = tuner().fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 3
    assert results.get_best_result().config["x"] == min(trial.config["x"] for trial in results)
    assert results.closed == {"reason": "all 3 trials have been started", "finished": True}


def test_a_trainable_may_be_given_in_text(tmp_path, monkeypatch):
    (tmp_path / "my_training.py").write_text("def train(config):\n    return {'loss': config['x']}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(tuner("my_training:train").fit()) == 3


def test_the_same_seed_gives_the_same_run():
    assert told(tuner(seed=7).fit()) == told(tuner(seed=7).fit())
    assert told(tuner(seed=7).fit()) != told(tuner(seed=8).fit())


def test_a_seed_that_was_drawn_is_in_the_journal():
    first = tuner(seed=None).fit()
    assert told(tuner(seed=first.settings["seed"]).fit()) == told(first)
    assert tuner(seed=None).seed != tuner(seed=None).seed


def test_without_a_number_of_samples_the_time_budget_ends_the_run():
    results = tuner(num_samples=None, time_budget_s=10, executor=FakeExecutor(duration=1)).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED", "PENDING"]
    assert results.closed == {"reason": "the time budget of 10 s is used up", "finished": False}


def test_no_more_trials_run_at_once_than_was_asked_for():
    executor = FakeExecutor(workers=5)
    run = tuner(executor=executor, max_concurrent_trials=2, num_samples=6).open()
    most = 0
    try:
        while run.step():
            most = max(most, run.counts["RUNNING"])
    finally:
        run.close()
    assert most == 2


def test_points_come_before_what_the_searcher_suggests():
    assert tuner(points_to_evaluate=[{"x": 0.25}]).fit()[0].config == {"x": 0.25}


# --- open, step, close -----------------------------------------------------------------------------------------------


def test_a_run_can_be_driven_by_hand():
    tune = tuner()
    run = tune.open()
    turns = 1
    while run.step():
        turns += 1
    assert run.outcome == (True, "all 3 trials have been started")
    assert run.counts == {"PENDING": 0, "RUNNING": 0, "PAUSED": 0, "COMPLETED": 3, "STOPPED": 0, "FAILED": 0}
    run.close()
    run.close()
    assert turns > 9
    assert len(tune.results()) == 3


def test_a_tuner_has_one_run(tmp_path):
    for path in (tmp_path, ":memory:"):
        tune = tuner(path=path)
        tune.fit()
        with pytest.raises(mt.RunError, match=r"this Tuner has had its run, .*: results\(\) has what came of it"):
            tune.fit()
        assert len(tune.results()) == 3


def test_results_need_a_run(tmp_path):
    with pytest.raises(mt.RunError, match=r"there are no results yet: call fit\(\) first"):
        tuner().results()
    with pytest.raises(mt.RunError, match="there is no run in"):
        tuner(path=tmp_path).results()


def test_results_are_there_after_an_error_too(tmp_path):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def on_end(self, run, trial):
            raise ValueError("broken on purpose")

    for path in (tmp_path, ":memory:"):
        tune = tuner(path=path, searcher=Broken())
        with pytest.raises(mt.PluginError, match="searcher 'Broken' failed in on_end for trial 00000: ValueError: broken"):
            tune.fit()
        assert [trial.state for trial in tune.results()] == ["COMPLETED"]
        assert tune.results().closed is not None


def test_plugins_are_torn_down_whatever_happens():
    ends = []

    class Logger(FakeLogger):
        @mt.hookimpl
        def teardown(self, error):
            ends.append(error and type(error).__name__)

    class Broken(FakeSearcher):
        @mt.hookimpl
        def setup(self):
            raise mt.OptionError("this space is too wide")

    tuner(loggers=[Logger()]).fit()
    with pytest.raises(mt.OptionError, match="this space is too wide"):
        tuner(loggers=[Logger()], searcher=Broken()).fit()
    with pytest.raises(mt.PluginError):
        tuner(loggers=[Logger()], scheduler=FakeScheduler(decide=lambda trial, result: 1 / 0)).fit()
    assert ends == [None, "OptionError", "PluginError"]


# --- where it is kept ------------------------------------------------------------------------------------------------


def test_a_run_is_one_folder(tmp_path):
    results = tuner(saving, tmp_path).fit()
    assert results.path == str(tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    assert {"journal.db", "trials"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_storage_may_be_relative_to_the_folder_or_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert tuner(path="here").fit().path == str(tmp_path / "here" / "run")
    assert tuner(path=Path("~/there")).fit().path == str(tmp_path / "home" / "there" / "run")


@pytest.mark.parametrize(
    ("variable", "where"), [("{}/elsewhere", "elsewhere"), ("", "microtune_runs"), (None, "microtune_runs")]
)
def test_by_default_runs_are_kept_together(tmp_path, monkeypatch, variable, where):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MICROTUNE_STORAGE", raising=False)
    if variable is not None:
        monkeypatch.setenv("MICROTUNE_STORAGE", variable.format(tmp_path))
    assert tuner(path=None).fit().path == str(tmp_path / where / "run")


def test_two_runs_without_a_name_do_not_meet(tmp_path):
    paths = {tuner(path=tmp_path, name=None).fit().path for _ in range(2)}
    assert len(paths) == 2


def test_in_memory_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = tuner().fit()
    assert not os.path.exists(results.path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_another_run_is_refused(tmp_path):
    tuner(path=tmp_path).fit()
    with pytest.raises(mt.RunError, match=r"run' holds another run: go on with it through Tuner\.restore"):
        tuner(path=tmp_path).fit()
    assert len(ResultGrid(tmp_path / "run")) == 3


def test_a_run_that_was_refused_leaves_its_name_free(tmp_path):
    class Refuses(FakeSearcher):
        @mt.hookimpl
        def setup(self):
            raise mt.OptionError("not like this")

    with pytest.raises(mt.OptionError, match="not like this"):
        tuner(path=tmp_path, searcher=Refuses()).fit()
    assert not (tmp_path / "run").exists()
    assert len(tuner(path=tmp_path).fit()) == 3


def test_a_run_that_was_killed_before_its_first_event_is_started_anew(tmp_path):
    Journal(str(tmp_path / "run"), create=True).close()
    with pytest.raises(mt.RunError, match="ended before it began: start it anew"):
        restore(tmp_path / "run")
    assert len(tuner(path=tmp_path).fit()) == 3


def test_a_storage_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(mt.RunError, match=r"file/run' cannot be made: .*: give another storage_path="):
        tuner(path=tmp_path / "file").fit()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_storage_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(mt.RunError, match="give another storage_path="):
        tuner(path=tmp_path).fit()


def test_a_run_has_one_writer(tmp_path):
    run = tuner(path=tmp_path).open()
    try:
        run.step()
        with pytest.raises(mt.RunError, match=r"process \d+ on .* is writing to the run in"):
            restore(tmp_path / "run").fit()
    finally:
        run.close()


# --- plugins ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path, monkeypatch):
    """What the defaults name is installed, by fakes, and nothing else."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    points = {
        "searchers": {"random": "FakeSearcher", "grid": "FakeSearcher"},
        "executors": {"local": "FakeExecutor"},
        "loggers": {"console": "FakeLogger"},
    }
    groups = {
        f"microtune.{role}": {name: f"microtune.testing.fakes:{cls}" for name, cls in names.items()}
        for role, names in points.items()
    }
    fake_dist(tmp_path, "fakes", "1.2", groups)


def test_the_defaults_are_plugins_by_name(site):
    results = mt.Tuner(curve, param_space=SPACE, metric="loss", mode="min", storage_path=":memory:").fit()
    assert len(results) == 1
    plugins = [(p["role"], p["name"], p["distribution"], p["version"], p["options"]) for p in results.settings["plugins"]]
    assert plugins == [
        ("searcher", "random", "fakes", "1.2", {}), ("executor", "local", "fakes", "1.2", {}),
        ("logger", "console", "fakes", "1.2", {}),
    ]  # fmt: skip


def test_a_space_with_a_grid_is_searched_by_the_grid(site):
    tune = mt.Tuner(curve, param_space={"x": mt.grid_search([1, 2])}, metric="loss", mode="min", storage_path=":memory:")
    with pytest.raises(mt.MicrotuneError, match="grid"):  # the fake that stands for it cannot sample a grid
        tune.fit()


def test_plugins_are_chosen_by_class_and_with_options_too():
    logger = "microtune.testing.fakes.FakeLogger"
    searcher = 'microtune.testing.fakes.FakeSearcher:configs=[{"x":0.5}]'
    executor = "microtune.testing.fakes.FakeExecutor:workers=2"
    results = tuner(searcher=searcher, executor=executor, loggers=[logger, FakeLogger, FakeLogger()]).fit()
    assert [trial.config for trial in results] == [{"x": 0.5}]
    plugins = results.settings["plugins"]
    assert plugins[0]["options"] == {"configs": [{"x": 0.5}]}
    assert plugins[1]["options"] == {"workers": 2}
    assert [p["class"] for p in plugins[2:]] == [logger] * 3


def test_one_instance_serves_one_run():
    logger = FakeLogger()
    tuner(loggers=[logger]).fit()
    with pytest.raises(mt.OptionError, match="logger 'FakeLogger': this instance has had its run"):
        tuner(loggers=[logger]).fit()


# --- restore ---------------------------------------------------------------------------------------------------------


def test_a_finished_run_that_is_restored_does_nothing_more(tmp_path):
    first = told(tuner(path=tmp_path).fit())
    executor, logger = FakeExecutor(), FakeLogger()
    assert told(restore(tmp_path / "run", executor=executor, loggers=[logger]).fit()) == first
    assert executor.launched == []
    assert logger.kinds[-3:] == ["closed", "changed", "closed"]


def test_more_trials_continue_the_run_as_if_it_had_been_asked_for_them(tmp_path):
    whole = told(tuner(path=tmp_path, name="whole", num_samples=6).fit())
    tuner(path=tmp_path).fit()
    assert told(restore(tmp_path / "run", num_samples=6).fit()) == whole


def test_more_time_takes_up_the_trials_that_were_interrupted(tmp_path):
    results = tuner(saving, tmp_path, num_samples=2, time_budget_s=6).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "PENDING"]
    again = restore(tmp_path / "run").fit()
    assert [trial.state for trial in again] == ["COMPLETED", "PENDING"], "the budget is over all sessions"
    results = restore(tmp_path / "run", time_budget_s=None).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED"]
    assert [row["training_iteration"] for row in results[1].history] == [1, 2, 3]


def test_another_scheduler_takes_over(tmp_path):
    scheduler = FakeScheduler(decide=lambda trial, result: mt.Pause("rung 1"))
    assert [trial.state for trial in tuner(saving, tmp_path, scheduler=scheduler).fit()] == ["PAUSED"] * 3
    results = restore(tmp_path / "run", scheduler=None).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 3
    assert [len(trial.history) for trial in results] == [3, 3, 3]


def test_another_searcher_hears_of_the_trials_there_are(tmp_path):
    class Other(FakeSearcher):
        pass

    tuner(path=tmp_path).fit()
    other = Other()
    restore(tmp_path / "run", searcher=other, num_samples=4).fit()
    assert [told[1] for told in other.told if told[0] == "start"] == ["00000", "00001", "00002", "00003"]


def test_another_space_holds_for_the_trials_to_come(tmp_path):
    tuner(path=tmp_path).fit()
    results = restore(tmp_path / "run", param_space={"x": mt.uniform(5, 6)}, num_samples=5).fit()
    assert [trial.config["x"] > 1 for trial in results] == [False, False, False, True, True]


def test_a_restored_run_keeps_its_settings(tmp_path):
    stop = {"training_iteration": 2}
    first = tuner(path=tmp_path, stop=stop, resources={"cpu": 2}, max_failures=1, checkpoints={"keep": 1}, seed=None)
    first.fit()
    tune = restore(tmp_path / "run", num_samples=4)
    assert (tune.seed, tune.resources, tune.checkpoints, tune.name) == (first.seed, {"cpu": 2}, {"keep": 1}, "run")
    assert [trial.state for trial in tune.fit()] == ["STOPPED"] * 4


def test_changes_are_in_the_journal(tmp_path):
    tuner(path=tmp_path).fit()
    logger = FakeLogger()
    restore(tmp_path / "run", num_samples=4, max_failures=2, loggers=[logger]).fit()
    (changed,) = [event for event in logger.events if event.kind == "changed"]
    assert changed.body["settings"]["num_samples"] == 4
    assert changed.body["settings"]["max_failures"] == 2
    assert not {"metric", "seed", "param_space", "trainable"} & set(changed.body["settings"])
    grid = ResultGrid(tmp_path / "run")
    assert (len(grid), grid.settings["num_samples"], grid.settings["metric"]) == (4, 4, "loss")


def test_a_restored_tuner_has_one_run_as_well(tmp_path):
    tuner(path=tmp_path).fit()
    tune = restore(tmp_path / "run")
    assert len(tune.results()) == 3
    tune.fit()
    with pytest.raises(mt.RunError, match="this Tuner has had its run"):
        tune.fit()


def test_a_path_may_be_relative_and_end_in_a_slash(tmp_path, monkeypatch):
    tuner(path=tmp_path).fit()
    monkeypatch.chdir(tmp_path)
    assert len(restore("run/", num_samples=4).fit()) == 4


# --- what the journal cannot hold ------------------------------------------------------------------------------------

NAMED = {"searcher": "microtune.testing.fakes.FakeSearcher", "executor": "microtune.testing.fakes.FakeExecutor"}


def test_a_run_of_named_plugins_and_an_importable_trainable_needs_nothing_again(tmp_path):
    tuner(curve, tmp_path, name="other", **NAMED).fit()
    assert len(mt.Tuner.restore(tmp_path / "other", num_samples=4).fit()) == 4


@pytest.mark.parametrize(
    ("trainable", "given", "lost"),
    [
        (lambda config: config["x"], {}, r"trainable= \(it was <function <lambda>"),
        (curve, {"searcher": FakeSearcher()}, r"searcher= \(it was <microtune\.testing\.fakes\.FakeSearcher"),
        (curve, {"executor": FakeExecutor()}, r"executor= \(it was <"),
        (curve, {"scheduler": FakeScheduler()}, r"scheduler= \(it was <"),
        (curve, {"loggers": ["microtune.testing.fakes.FakeLogger", FakeLogger()]}, r"loggers= \(it was \['microtune\.t.*, <"),
        (curve, {"stop": lambda trial_id, metrics: False}, r"stop= \(it was <function <lambda>"),
        (curve, {"stop": [mt.TrialPlateau(), "loss < 0"]}, r"stop= \(it was \[.*TrialPlateau.*'loss < 0'\]"),
        (curve, {"param_space": {**SPACE, "y": mt.sample_from(lambda config: 1)}}, r"param_space= \(it holds functions"),
        (curve, {"param_space": mt.Space(SPACE, [lambda config: True])}, r"param_space= \(it holds functions"),
    ],
)  # fmt: skip
def test_what_was_lost_must_be_passed_again(tmp_path, trainable, given, lost):
    tuner(trainable, tmp_path, **{**NAMED, **given}).fit()
    with pytest.raises(mt.OptionError, match=rf"the journal of .*run' cannot hold Python objects: pass again .*{lost}"):
        mt.Tuner.restore(tmp_path / "run")
    fresh = {key: NAMED.get(key, SPACE if key == "param_space" else ()) for key in given}
    if "scheduler" in given or "stop" in given:
        fresh = dict.fromkeys(given)
    results = mt.Tuner.restore(tmp_path / "run", trainable, num_samples=4, **fresh).fit()
    assert len(results) == 4


def test_everything_that_was_lost_is_said_at_once(tmp_path):
    space = {**SPACE, "y": mt.sample_from(lambda config: 1)}
    tuner(lambda config: 1, tmp_path, param_space=space, **{**NAMED, "searcher": FakeSearcher()}).fit()
    with pytest.raises(mt.OptionError) as raised:
        mt.Tuner.restore(tmp_path / "run")
    for name in ("trainable=", "searcher=", "param_space="):
        assert name in str(raised.value)


def test_a_trainable_of_a_module_that_is_gone_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone_module.py").write_text("def train(config):\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    tuner("gone_module:train", tmp_path, **NAMED).fit()
    (tmp_path / "gone_module.py").unlink()
    monkeypatch.delitem(sys.modules, "gone_module")
    with pytest.raises(mt.OptionError, match="trainable='gone_module:train': the module cannot be imported"):
        mt.Tuner.restore(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_sample": 3}, "restore() takes the arguments of Tuner, not num_sample"),
        ({"name": "other"}, "name= belongs to the run and cannot be changed by restore()"),
        ({"storage_path": "/elsewhere"}, "storage_path= belongs to the run"),
        ({"seed": 3}, "seed= belongs to the run"),
        ({"num_samples": 0}, "num_samples=0"),
    ],
)
def test_a_change_that_cannot_be_is_refused(tmp_path, changes, message):
    tuner(path=tmp_path).fit()
    with pytest.raises(mt.OptionError, match=re.escape(message)):
        restore(tmp_path / "run", **changes)


def test_where_there_is_no_run_there_is_nothing_to_restore(tmp_path):
    with pytest.raises(mt.RunError, match=r"there is no run in .*: it holds no journal\.db"):
        restore(tmp_path)


@pytest.mark.parametrize("values", [[1, 2], [1]])
def test_a_grid_search_is_refused_to_a_searcher_that_does_not_go_through_it(values):
    space = {"lr": mt.uniform(0, 1), "net": {"depth": mt.grid_search(values)}}
    tuner = mt.Tuner(
        lambda config: 1.0, param_space=space, metric="loss", mode="min", searcher=FakeSearcher(), executor=FakeExecutor(),
        loggers=(), storage_path=":memory:",
    )  # fmt: skip
    with pytest.raises(mt.OptionError, match=r"searcher 'FakeSearcher' .*'net/depth'.*searcher='grid'"):
        tuner.fit()
