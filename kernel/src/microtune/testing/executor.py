"""The contract of an executor."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microtune import (
    Exited,
    OptionError,
    Reported,
    Tuner,
    as_directory,
    choice,
    hookimpl,
    randint,
    uniform,
    with_parameters,
)
from microtune.testing import errands
from microtune.testing.bench import PausesOnce, Spy, children, set_going
from microtune.testing.contract import finish
from microtune.testing.fakes import FakeLogger, FakeSearcher
from microtune.testing.suffering import SufferingExecutor


class ExecutorContract(SufferingExecutor):
    """What any executor keeps. `ExecutorBench` lists the capabilities that a plugin may claim."""

    # --- reports -----------------------------------------------------------------------------------------------------

    def test_every_report_arrives_once_and_in_order(self, tmp_path: Path) -> None:
        results = self.fit(errands.count, tmp_path, num_samples=3, space={"n": randint(150, 200)})
        for trial in results:
            assert [row["i"] for row in trial.history] == list(range(trial.config["n"]))
            assert [row["training_iteration"] for row in trial.history] == list(range(1, trial.config["n"] + 1))
            seconds = [row["time_total_s"] for row in trial.history]
            assert seconds == sorted(seconds)
            assert trial.state == "COMPLETED"

    def test_an_attempt_exits_once_and_a_returned_value_comes_with_its_exit(self, tmp_path: Path) -> None:
        spy = Spy(self.make())
        self.fit(errands.reported_and_returned, tmp_path, num_samples=5, executor=spy)
        exits = [report for batch in spy.batches for report in batch if isinstance(report, Exited)]
        assert sorted(each.trial_id for each in exits) == [f"{n:05d}" for n in range(5)]
        for batch in spy.batches:
            for at, report in enumerate(batch):
                if isinstance(report, Reported) and report.iteration == 2:
                    rest = batch[at + 1 :]
                    assert any(isinstance(r, Exited) and r.trial_id == report.trial_id for r in rest), batch

    def test_time_does_not_run_backwards(self, tmp_path: Path) -> None:
        logger = FakeLogger()
        self.fit(errands.count, tmp_path, num_samples=5, loggers=[logger])
        results = [event.at for event in logger.events if event.kind == "result"]
        assert results == sorted(results)

    @pytest.mark.parametrize(
        ("trainable", "losses"),
        [
            (errands.count, [0.0, 1.0, 2.0, 3.0, 4.0]),
            (errands.reported_and_returned, [1.0, 2.0]),
            (errands.yields, [0.0, 1.0, 2.0]),
            (errands.Counter, [1.0, 2.0, 3.0, 4.0, 5.0]),
        ],
        ids=["reports", "returns", "yields", "class"],
    )
    def test_functions_generators_and_classes_run(self, trainable: Any, losses: list[float], tmp_path: Path) -> None:
        (trial,) = self.fit(trainable, tmp_path)
        assert trial.state == "COMPLETED", trial.error
        assert [row["loss"] for row in trial.history] == losses

    def test_a_lambda_runs(self, tmp_path: Path) -> None:
        offset = 41
        (trial,) = self.fit(lambda config: offset + config["n"], tmp_path, space={"n": choice([1])})
        assert trial.metrics["loss"] == 42

    @pytest.mark.parametrize("trainable", [errands.weighs, errands.Weighs])
    def test_trials_get_the_parameters_of_their_trainable(self, trainable: Any, tmp_path: Path) -> None:
        bound = with_parameters(trainable, weights=[1.0, 2.0], bias=0.5)
        results = self.fit(bound, tmp_path, num_samples=3)
        assert [trial.metrics["loss"] for trial in results] == [3.5] * 3

    def test_odd_values_arrive_as_they_were(self, tmp_path: Path) -> None:
        (trial,) = self.fit(errands.odd, tmp_path)
        assert math.isnan(trial.metrics["nan"])
        assert {k: v for k, v in trial.metrics.items() if k in errands.ODD and k != "nan"} == {
            k: v for k, v in errands.ODD.items() if k != "nan"
        }

    def test_trials_know_who_they_are(self, tmp_path: Path) -> None:
        cwd = os.getcwd()
        results = self.fit(errands.who, tmp_path, num_samples=3, resources={"cpu": 1})
        for number, trial in enumerate(results):
            assert (trial.metrics["id"], trial.metrics["number"], trial.metrics["attempt"]) == (trial.id, number, 1)
            assert trial.metrics["resources"] == {"cpu": 1}
            assert os.path.isdir(trial.metrics["folder"])
            assert trial.metrics["cwd"] == cwd, "the working directory is never changed"
            assert (trial.metrics["pid"] != os.getpid()) == self.processes
        assert len({trial.metrics["seed"] for trial in results}) == 3

    def test_a_trial_that_changes_its_config_changes_nothing_else(self, tmp_path: Path) -> None:
        results = self.fit(errands.scribbles, tmp_path, num_samples=3, space={"x": uniform(0, 1), "inner": [1, 2]})
        for trial in results:
            assert trial.metrics["seen"] == trial.config["inner"] == [1, 2]
            assert 0 <= trial.config["x"] <= 1

    def test_trials_that_can_run_at_once_do(self, tmp_path: Path) -> None:
        self.needs(self.slots > 1 and not self.virtual_time, "slots > 1, in real time")
        folder = tmp_path / "meeting"
        folder.mkdir()
        results = self.fit(errands.meets, tmp_path, num_samples=2, space={"x": uniform(0, 1), "folder": str(folder)})
        assert [trial.metrics["met"] for trial in results] == [True, True]

    def test_two_equal_runs_report_the_same_at_the_same_time(self, tmp_path: Path) -> None:
        self.needs(self.deterministic, "deterministic")
        told = []
        for name in ("first", "second"):
            logger = FakeLogger()
            self.fit(errands.count, tmp_path, num_samples=7, name=name, loggers=[logger])
            told.append([event for event in logger.events if event.kind != "opened"])
        assert told[0] == told[1]

    # --- decisions ---------------------------------------------------------------------------------------------------

    def test_a_stopped_trial_reports_no_more(self, tmp_path: Path) -> None:
        spy = Spy(self.make())
        results = self.fit(errands.endless, tmp_path, num_samples=3, stop={"training_iteration": 3}, executor=spy)
        assert [(trial.state, len(trial.history)) for trial in results] == [("STOPPED", 3)] * 3
        assert sum(isinstance(report, Reported) for batch in spy.batches for report in batch) == 9

    @pytest.mark.parametrize("trainable", [errands.careful, errands.Counter], ids=["function", "class"])
    def test_a_paused_trial_goes_on_from_its_checkpoint(self, trainable: Any, tmp_path: Path) -> None:
        results = self.fit(trainable, tmp_path, num_samples=3, scheduler=PausesOnce())
        length = 6 if trainable is errands.careful else 5
        for trial in results:
            assert trial.state == "COMPLETED", trial.error
            assert [row["training_iteration"] for row in trial.history] == list(range(1, length + 1))
            if trainable is errands.careful:
                assert [row["first"] for row in trial.history] == [0, 0, 2, 2, 2, 2]

    def test_a_checkpoint_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        (trial,) = self.fit(errands.careful, tmp_path)
        assert (Path(trial.checkpoint or "") / "deep" / "step").read_text() == "6"

    def test_checkpoints_on_a_url_are_written_restored_from_and_discarded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
        url, keep = f"file://{tmp_path}/store", {"keep": 1}
        given = {"storage_path": url, "max_failures": 1, "checkpoints": keep, "space": {"x": uniform(0, 1), "fail": True}}
        results = self.fit(errands.careful, tmp_path, num_samples=2, **given)
        for trial in results:
            assert (trial.state, trial.error) == ("COMPLETED", None)
            assert [row["first"] for row in trial.history] == [0, 0, 0, 3, 3, 3]
            assert trial.checkpoint == f"{url}/run/trials/{trial.id}/checkpoints/6-2"
            assert os.listdir(tmp_path / "store" / "run" / "trials" / trial.id / "checkpoints") == ["6-2"]
            with as_directory(trial.checkpoint) as folder:
                assert (folder / "deep" / "step").read_text() == "6"
            here = Path(trial.folder, "checkpoints")
            assert not here.exists() or os.listdir(here) == []
        assert results.path == str(tmp_path / "runs" / "run")

    # --- resources -----------------------------------------------------------------------------------------------------

    def test_resources_that_can_never_be_had_are_refused(self, tmp_path: Path) -> None:
        self.needs(self.limited, "limited")
        tuner = self.tuner(errands.returned, tmp_path, resources={"cpu": 1e6})
        try:
            (trial,) = finish(tuner)
        except OptionError as refusal:  # in setup, since it is the same for every config
            said = str(refusal)
        else:
            assert trial.state == "FAILED"
            said = trial.error or ""
        assert "cpu" in said

    # --- waiting -----------------------------------------------------------------------------------------------------

    def test_waiting_until_a_past_moment_returns_at_once(self, tmp_path: Path) -> None:
        with self.opened(errands.returned, tmp_path) as (executor, run):
            start = time.monotonic()
            batch = executor.inner.wait(run=run, until=0.0)
            assert time.monotonic() - start < 0.5
            assert batch.reports == []
            assert batch.slots >= self.slots
            assert all(isinstance(amount, (int, float)) for amount in batch.capacity.values())

    def test_waiting_ends_in_time(self, tmp_path: Path) -> None:
        with self.opened(errands.returned, tmp_path) as (executor, run):
            start, batch = time.monotonic(), executor.inner.wait(run=run, until=0.0)
            until = batch.now + 0.3
            while batch.now < until:
                batch = executor.inner.wait(run=run, until=until)
            seconds = time.monotonic() - start
            assert seconds < 1.5
            assert self.virtual_time or seconds >= 0.29

    @pytest.mark.parametrize("busy", [False, True])
    def test_a_signal_ends_the_waiting(self, busy: bool, tmp_path: Path) -> None:
        self.needs(not self.virtual_time, "a clock that follows the wall's")
        read, write = os.pipe()
        trainable = errands.hangs if busy else errands.returned
        try:
            with self.opened(trainable, tmp_path, wakeup_fd=read) as (executor, run):
                if busy:
                    set_going(executor, run)
                threading.Timer(0.2, os.write, (write, b"x")).start()
                start = time.monotonic()
                executor.inner.wait(run=run, until=math.inf)
                assert time.monotonic() - start < 1.6, "a wait watches run.wakeup_fd, or lasts a second at most"
        finally:
            os.close(read)
            os.close(write)

    def test_a_time_budget_ends_the_run_and_keeps_its_trials(self, tmp_path: Path) -> None:
        results = self.fit(errands.endless, tmp_path, time_budget_s=1.0, grace_s=0.5)
        assert [trial.state for trial in results] == ["PENDING"]

    def test_what_a_trial_reports_while_the_run_ends_is_kept(self, tmp_path: Path) -> None:
        self.needs(not self.virtual_time, "a clock that follows the wall's")
        (trial,) = self.fit(errands.slow, tmp_path, time_budget_s=3.0, grace_s=30.0)
        assert trial.state == "PENDING"
        assert [(row["training_iteration"], row["loss"]) for row in trial.history] == [(1, 1.0), (2, 2.0)]
        assert (Path(trial.checkpoint or "") / "step").read_text() == "2"
        seconds = [row["time_total_s"] for row in trial.history]
        given = {"searcher": FakeSearcher(), "executor": self.make(), "loggers": [], "time_budget_s": None}
        resumed = finish(Tuner.restore(tmp_path / "run", errands.slow, **given))
        assert [row["loss"] for row in resumed[0].history] == [1.0, 2.0, 3.0]
        assert [row["time_total_s"] for row in resumed[0].history][:2] == seconds == sorted(seconds)
        assert resumed[0].history[2]["time_total_s"] >= seconds[1]

    # --- the end -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("trainable", [errands.count, errands.endless], ids=lambda f: f.__name__)
    def test_nothing_is_left_behind(self, trainable: Callable[..., Any], tmp_path: Path) -> None:
        threads, processes, cwd = set(threading.enumerate()), children(), os.getcwd()
        self.fit(trainable, tmp_path, num_samples=3, stop={"training_iteration": 4})
        assert children() <= processes
        for thread in set(threading.enumerate()) - threads:
            thread.join(5)
            assert not thread.is_alive(), f"{thread} is still running"
        assert os.getcwd() == cwd

    def test_an_error_leaves_nothing_behind_either(self, tmp_path: Path) -> None:
        class Broken:
            @hookimpl
            def decide(self) -> None:
                raise RuntimeError("broken on purpose")

        threads, processes = set(threading.enumerate()), children()
        with pytest.raises(Exception, match="broken on purpose"):
            self.fit(errands.endless, tmp_path, scheduler=Broken(), grace_s=0.2)
        assert children() <= processes
        for thread in set(threading.enumerate()) - threads:
            thread.join(5)
            assert not thread.is_alive(), f"{thread} is still running"

    def test_teardown_may_come_early_and_twice(self, tmp_path: Path) -> None:
        processes = children()
        with self.opened(errands.returned, tmp_path) as (executor, run):
            pass
        executor.inner.teardown(run=run, error=None)
        assert children() <= processes
