"""The part of the contract of executors that is about trials that fail: what that costs them, and that it costs nobody else."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from microtune import Result, ResultGrid, Trial, hookimpl, uniform
from microtune.testing import errands
from microtune.testing.bench import ExecutorBench, children, failures, gone
from microtune.testing.contract import finish
from microtune.testing.fakes import FakeExecutor, FakeLogger


class Sluggish:
    """A scheduler that takes its time and has no opinion."""

    @hookimpl
    def decide(self, trial: Trial, result: Result) -> None:
        time.sleep(0.001)


class SufferingExecutor(ExecutorBench):
    """Part of `ExecutorContract`."""

    @pytest.mark.parametrize(
        ("how", "kind", "text"),
        [
            ("raises", "error", "something is wrong"),
            ("unpicklable", "error", "it holds a lock"),
            ("speechless", "error", "Speechless"),
            ("exits", "error", "SystemExit: 3"),
            ("memory", "out_of_memory", "too much"),
        ],
    )
    def test_a_trial_that_fails_says_why_and_the_next_one_runs(self, how: str, kind: str, text: str, tmp_path: Path) -> None:
        logger = FakeLogger()
        results = self.fit(errands.fails, tmp_path, num_samples=2, space={"x": uniform(0, 1), "how": how}, loggers=[logger])
        for trial in results:
            assert trial.state == "FAILED"
            assert text in (trial.error or "")
            assert "wounds.py" in (trial.error or ""), "the traceback is the original one"
            assert len(trial.history) == 1
        assert failures(logger) == [kind, kind]

    @pytest.mark.parametrize(
        ("wound", "kind"),
        [
            ("raises", "error"),
            ("speechless", "error"),
            ("interrupted", "error"),
            ("memory", "out_of_memory"),
            ("starved", "out_of_memory"),
            ("killed", "lost"),
            ("crashed", "lost"),
            ("gone", "lost"),
            ("gone-3", "lost"),
            ("hangs", "timeout"),
        ],
    )
    def test_a_fault_costs_its_trial_the_steps_since_its_checkpoint_and_the_others_nothing(
        self, wound: str, kind: str, tmp_path: Path
    ) -> None:
        more: dict[str, Any] = {}
        if kind == "lost":
            self.needs(self.processes, "processes")
        if kind == "timeout":
            self.needs(self.kills, "kills")
            more = {"report_timeout_s": 2.0}
        if wound == "starved":
            self.needs(self.processes and sys.platform.startswith("linux"), "processes, on Linux")
        before, logger = children(), FakeLogger()
        given: dict[str, Any] = {"num_samples": 4, "max_failures": 1, "space": _suffering(wound, 1)}
        results = self.fit(errands.suffers, tmp_path, loggers=[logger], **given, **more)
        assert failures(logger) == [kind]
        assert [trial.state for trial in results] == ["COMPLETED"] * 4
        given["space"] = _suffering(wound, -1)
        calm = finish(self.tuner(errands.suffers, tmp_path, name="calm", executor=FakeExecutor(), **given))
        assert _told(results) == _told(calm)
        firsts = [[row["first"] for row in trial.history] for trial in results]
        assert firsts == [[0] * 5, [0, 0, 2, 2, 2], [0] * 5, [0] * 5]
        assert children() <= before

    def test_a_failed_attempt_is_retried_from_the_last_checkpoint(self, tmp_path: Path) -> None:
        space = {"x": uniform(0, 1), "fail": True}
        results = self.fit(errands.careful, tmp_path, num_samples=2, space=space, max_failures=1)
        for trial in results:
            assert trial.state == "COMPLETED", trial.error
            assert [row["first"] for row in trial.history] == [0, 0, 0, 3, 3, 3]

    def test_a_trial_whose_process_dies_is_lost_and_tried_again(self, tmp_path: Path) -> None:
        self.needs(self.processes, "processes")
        logger = FakeLogger()
        results = self.fit(errands.dies_once, tmp_path, num_samples=2, loggers=[logger])
        assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED"]
        assert failures(logger) == ["lost", "lost"]

    def test_a_trial_that_kills_its_process_every_time_is_given_up(self, tmp_path: Path) -> None:
        self.needs(self.processes, "processes")
        logger = FakeLogger()
        results = self.fit(
            errands.fails, tmp_path, space={"x": uniform(0, 1), "how": "killed"}, loggers=[logger], max_failures=9
        )
        assert [trial.state for trial in results] == ["FAILED"]
        assert failures(logger) == ["lost"] * 3

    # --- time limits -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", ["trial_timeout_s", "report_timeout_s"])
    def test_a_trial_that_hangs_is_ended_by_its_time_limit(self, limit: str, tmp_path: Path) -> None:
        self.needs(self.kills, "kills")
        logger = FakeLogger()
        results = self.fit(errands.hangs, tmp_path, loggers=[logger], grace_s=0.2, **{limit: 1.0})
        assert [trial.state for trial in results] == ["FAILED"]
        assert failures(logger) == ["timeout"]
        assert "errands.py" in (results[0].error or ""), "the error says where it hung"

    def test_a_trial_that_reports_for_ever_is_ended_by_its_time_limit(self, tmp_path: Path) -> None:
        self.needs(self.kills, "kills")
        logger = FakeLogger()
        results = self.fit(errands.endless, tmp_path, loggers=[logger], grace_s=0.2, trial_timeout_s=0.5)
        assert [trial.state for trial in results] == ["FAILED"]
        assert failures(logger) == ["timeout"]
        assert len(results[0].history) > 1

    def test_a_trial_that_does_not_leave_is_killed(self, tmp_path: Path) -> None:
        self.needs(self.kills, "kills")
        (trial,) = self.fit(errands.stubborn, tmp_path, stop={"training_iteration": 2}, grace_s=0.2)
        assert trial.state == "STOPPED"

    # --- too much ----------------------------------------------------------------------------------------------------

    def test_a_flood_of_reports_and_of_output_arrives_whole_at_a_driver_that_is_slow(self, tmp_path: Path) -> None:
        results = self.fit(errands.floods, tmp_path, num_samples=2, scheduler=Sluggish())
        for trial in results:
            assert trial.state == "COMPLETED", trial.error
            assert [row["loss"] for row in trial.history] == list(range(500))

    def test_five_megabytes_are_a_result_like_any_other(self, tmp_path: Path) -> None:
        results = self.fit(errands.heavy, tmp_path, num_samples=2, space={"x": uniform(0, 1), "letter": "y"})
        for trial in results:
            assert [(row["loss"], row["text"] == "y" * 5_000_000) for row in trial.history] == [(1.0, True), (0.0, True)]

    # --- what is left by a trial -------------------------------------------------------------------------------------

    def test_a_killed_trial_takes_its_child_processes_with_it(self, tmp_path: Path) -> None:
        self.needs(self.kills, "kills")
        (trial,) = self.fit(errands.parent, tmp_path, stop={"training_iteration": 1}, grace_s=0.2)
        assert gone(trial.metrics["child"])

    def test_child_processes_that_a_trial_has_left_end_with_the_run(self, tmp_path: Path) -> None:
        self.needs(self.kills, "kills")
        results = self.fit(errands.leaves_child, tmp_path, num_samples=3)
        assert [trial.state for trial in results] == ["COMPLETED"] * 3
        assert all(gone(trial.metrics["child"]) for trial in results)

    def test_a_thread_that_a_trial_has_left_reports_for_nobody_else(self, tmp_path: Path) -> None:
        results = self.fit(errands.leaves_thread, tmp_path, num_samples=4)
        assert [trial.state for trial in results] == ["COMPLETED"] * 4
        for trial in list(results)[1:]:
            assert [row["loss"] for row in trial.history] == list(range(20))


def _suffering(wound: str, victim: int) -> dict[str, Any]:
    return {"x": uniform(0, 1), "wound": wound, "victim": victim}


def _told(results: ResultGrid) -> list[Any]:
    """What each trial has reported, whoever ran it and when."""
    return [[(row["training_iteration"], row["loss"]) for row in trial.history] for trial in results]
