"""The fakes are real plugins: small ones, with a clock of their own."""

from __future__ import annotations

import shutil
import threading

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeScheduler, FakeSearcher, ScriptedExecutor


def fit(trainable, **more):
    given = {
        "param_space": {"x": mt.uniform(0, 10)}, "metric": "loss", "mode": "min", "num_samples": 3, "searcher": FakeSearcher(),
        "executor": FakeExecutor(), "loggers": (), "storage_path": ":memory:", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, **{**given, **more}).fit()


def thrice(config):
    for i in range(3):
        mt.report(loss=config["x"] + i)


def results_of(logger):
    return [(event.at, event.trial, event.body["iteration"]) for event in logger.events if event.kind == "result"]


# --- FakeExecutor ----------------------------------------------------------------------------------------------------


def test_time_is_virtual():
    logger = FakeLogger()
    fit(thrice, loggers=[logger], num_samples=2, executor=FakeExecutor(duration=3600))
    times = [at for at, _, _ in results_of(logger)]
    assert times == [3600, 7200, 10800, 3600 * 5, 3600 * 6, 3600 * 7], "and a trial's way to its end takes as long"


def test_a_duration_may_depend_on_config_and_iteration_and_a_tie_goes_to_the_older_trial():
    logger = FakeLogger()
    searcher = FakeSearcher(configs=[{"x": 1}, {"x": 3}])
    executor = FakeExecutor(workers=2, duration=lambda config, iteration: config["x"] * iteration)
    fit(thrice, loggers=[logger], searcher=searcher, executor=executor)
    assert results_of(logger) == [
        (1, "00000", 1), (3, "00000", 2), (3, "00001", 1), (6, "00000", 3), (9, "00001", 2), (18, "00001", 3),
    ]  # fmt: skip


def test_as_many_trials_run_at_once_as_there_are_workers():
    running, most = set(), []

    class Watch(FakeLogger):
        @mt.hookimpl
        def log(self, run, event):
            if event.kind == "launched":
                running.add(event.trial)
            elif event.kind == "ended":
                running.discard(event.trial)
            most.append(len(running))

    fit(thrice, loggers=[Watch()], num_samples=9, executor=FakeExecutor(workers=4))
    assert max(most) == 4


def test_equal_runs_are_equal_to_the_last_event():
    told = []
    for _ in range(2):
        logger = FakeLogger()
        fit(thrice, loggers=[logger], num_samples=5, executor=FakeExecutor(workers=3))
        told.append(logger.events[1:])
    assert told[0] == told[1]


def test_what_cannot_fit_is_refused():
    def suggest(run, rng):
        return mt.Start({"x": 1}, resources={"gpu": 2.0})

    class Greedy(FakeSearcher):
        @mt.hookimpl
        def suggest(self, run, rng):
            return suggest(run, rng)

    (trial,) = fit(thrice, searcher=Greedy(), num_samples=1, executor=FakeExecutor(capacity={"cpu": 4, "gpu": 1}))
    assert trial.state == "FAILED"
    assert trial.reason == "trial 00000 asks for 2 gpu; there is 1"


def test_it_remembers_what_it_was_told():
    executor = FakeExecutor()
    fit(thrice, executor=executor, num_samples=2, stop={"training_iteration": 2}, scheduler=FakeScheduler())
    assert executor.launched == [("00000", 1), ("00001", 1)]
    assert executor.steered == [(f"0000{n}", decision) for n in (0, 1) for decision in ("Continue", "Stop")]


def test_it_is_told_to_discard_checkpoints_that_are_no_local_folders():
    executor = FakeExecutor()
    trial = mt.Trial("00000", 0, {})
    executor.steer(run=None, trial=trial, decision=mt.Discard("memory://bucket/1-1"))
    assert executor.discarded == ["memory://bucket/1-1"]


def test_its_threads_end_with_the_run():
    before = set(threading.enumerate())
    fit(thrice, executor=FakeExecutor(workers=3), num_samples=5, time_budget_s=2)
    assert set(threading.enumerate()) == before


def test_a_time_budget_is_virtual_too():
    results = fit(thrice, num_samples=None, executor=FakeExecutor(duration=100), time_budget_s=1000)
    assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED", "PENDING"]


# --- FakeSearcher, FakeScheduler, FakeLogger -------------------------------------------------------------------------


def test_a_searcher_with_configs_proposes_them_and_is_done():
    searcher = FakeSearcher(configs=[{"x": 1}, {"x": 2}])
    results = fit(lambda config: config["x"], searcher=searcher, num_samples=9)
    assert [trial.config["x"] for trial in results] == [1, 2]
    assert searcher.told == [
        ("start", "00000", 1), ("result", "00000", 1, {"loss": 1}), ("end", "00000", "COMPLETED"),
        ("start", "00001", 1), ("result", "00001", 1, {"loss": 2}), ("end", "00001", "COMPLETED"),
    ]  # fmt: skip


def test_a_searcher_without_configs_samples_the_space():
    configs = [trial.config["x"] for trial in fit(lambda config: config["x"], num_samples=50)]
    assert len(set(configs)) == 50
    assert min(configs) < 2 < 8 < max(configs)


def test_a_searcher_with_configs_goes_on_where_a_killed_run_ended(tmp_path):
    configs = [{"x": n} for n in range(4)]
    given = {"storage_path": tmp_path, "name": "run", "num_samples": 9}
    fit(lambda config: config["x"], searcher=FakeSearcher(configs=configs[:2]), **given)
    tuner = mt.Tuner.restore(
        tmp_path / "run", lambda config: config["x"], searcher=FakeSearcher(configs=configs), executor=FakeExecutor()
    )
    assert [trial.config["x"] for trial in tuner.fit()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "state"), [(mt.Stop("enough"), "STOPPED"), (mt.Continue(), "COMPLETED"), (None, "COMPLETED")]
)
def test_a_scheduler_decides_by_a_function(answer, state):
    scheduler = FakeScheduler(decide=lambda trial, result: answer if result.training_iteration == 2 else None)
    assert {trial.state for trial in fit(thrice, scheduler=scheduler)} == {state}


def test_a_scheduler_may_suggest_before_the_searcher_is_asked():
    scheduler = FakeScheduler(suggest=lambda run: mt.StopRun("enough of it"))
    results = fit(thrice, scheduler=scheduler)
    assert len(results) == 0
    assert results.closed["reason"] == "enough of it"


def test_a_logger_remembers_every_event():
    logger = FakeLogger()
    fit(lambda config: config["x"], loggers=[logger], num_samples=1)
    assert logger.kinds == ["opened", "created", "launched", "result", "ended", "closed"]
    assert [event.seq for event in logger.events] == [1, 2, 3, 4, 5, 6]


def test_a_scripted_executor_reports_what_it_is_told_to_in_one_batch():
    executor, logger = ScriptedExecutor(slots=2), FakeLogger()
    run = mt.Tuner(
        thrice, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(), executor=executor,
        loggers=[logger], num_samples=2, storage_path=":memory:",
    ).open()  # fmt: skip
    run.step()
    executor.reports("00001", 1, loss=0.5)
    executor.exits("00001")
    executor.exits("00000", "lost")
    run.step()
    assert [(trial.id, trial.attempt) for trial in executor.launched] == [("00000", 1), ("00001", 1), ("00000", 2)]
    assert [(e.trial, e.at, e.kind) for e in logger.events[-4:]] == [
        ("00001", 1.0, "result"), ("00001", 1.0, "ended"), ("00000", 1.0, "interrupted"), ("00000", 1.0, "launched"),
    ]  # fmt: skip
    with pytest.raises(mt.PluginError, match="the script is at its end"):
        run.step()
    run.close()


def test_a_run_that_is_killed_and_resumed_reports_at_the_times_at_which_it_would_have(tmp_path):
    """What repeats what was reported takes no time, and the first new result is due where it always was."""

    def times(folder):
        return [(row["training_iteration"], row["time_total_s"]) for row in mt.ResultGrid(folder)[0].history]

    def tuner(name):
        return mt.Tuner(
            thrice, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", searcher=FakeSearcher(), loggers=[],
            executor=FakeExecutor(duration=lambda config, iteration: iteration), storage_path=tmp_path, name=name,
        )  # fmt: skip

    whole = tuner("whole").fit()
    run = tuner("killed").open()
    for _ in range(3):
        run.step()
    shutil.copytree(run.facts.path, tmp_path / "image")
    run.close()
    executor = FakeExecutor(duration=lambda config, iteration: iteration)
    mt.Tuner.restore(tmp_path / "image", thrice, searcher=FakeSearcher(), executor=executor).fit()
    assert times(tmp_path / "image") == times(whole.path) == [(1, 1.0), (2, 3.0), (3, 6.0)]
