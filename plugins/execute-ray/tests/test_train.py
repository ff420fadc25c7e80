"""Ray Train in trials. Needs the extra `train`."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.train
from ray._private.state import actors
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer  # what TorchTrainer is, without torch
from ray.util import placement_group_table

import microtune as mt
from microtune.testing.fakes import FakeLogger
from microtune_execute_ray import RayExecutor
from microtune_execute_ray.train import fit as fit_trainer

STEPS = 5
WAITING = {"trial_resources": {"cpu": 0}}  # the trial itself only waits for its workers


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """With the dashboard, through which Ray Train learns that a trial was killed and its workers' resources are free."""
    ray.init(num_cpus=4, object_store_memory=200_000_000, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


def loop(config: dict[str, Any]) -> None:
    """A worker: five steps, rank 0 with a checkpoint at each; it fails after so many if it began at the beginning."""
    restored = config["restore"]
    first = int((restored / "step").read_text()) if restored else 0
    rank = ray.train.get_context().get_world_rank()
    for step in range(first + 1, STEPS + 1):
        if not first and step > config.get("fails_after", STEPS):
            raise RuntimeError(f"worker {rank} is out of luck")
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if rank == 0:
                Path(folder, "step").write_text(str(step))
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"loss": config["x"] * step, "rank": rank, "first": first}, checkpoint=checkpoint)


SHARED = ray.train.RunConfig()


def train(config: dict[str, Any]) -> None:
    if "pids" in config:
        Path(config["pids"], str(os.getpid())).touch()
    fit_trainer(
        DataParallelTrainer(
            loop, train_loop_config={**config, "restore": mt.get_checkpoint()},
            scaling_config=ray.train.ScalingConfig(num_workers=2), run_config=SHARED,
        )
    )  # fmt: skip


def nothing_is_left() -> bool:
    """Neither actors nor placement groups; but for an actor that Ray Train and Ray Data have in a cluster, one for all."""
    alive = [
        actor for actor in actors().values()
        if actor["State"] != "DEAD" and actor["ActorClassName"] != "_AutoscalingCoordinatorActor"
    ]  # fmt: skip
    groups = [group for group in placement_group_table().values() if group["state"] != "REMOVED"]
    return not alive and not groups


def test_what_the_workers_report_is_what_the_trial_reports_with_the_checkpoints(cluster, fit, wait_for):
    results = fit(train, executor=RayExecutor(**WAITING), num_samples=2, max_concurrent_trials=1, checkpoints={"keep": 1})
    for trial in results:
        assert trial.state == "COMPLETED"
        assert [row["loss"] for row in trial.history] == [trial.config["x"] * step for step in range(1, STEPS + 1)]
        assert [row["training_iteration"] for row in trial.history] == list(range(1, STEPS + 1))
        assert {row["rank"] for row in trial.history} == {0}
        last = Path(trial.checkpoint)
        assert (last / "step").read_text() == str(STEPS)
        folder = last.parents[1]
        assert [each.name for each in folder.iterdir()] == ["checkpoints"], "Ray Train's own copies are gone"
        assert len(list((folder / "checkpoints").iterdir())) == 1
    wait_for(nothing_is_left)


def test_a_stopped_trial_ends_its_workers_first(cluster, fit, wait_for):
    (trial,) = fit(train, executor=RayExecutor(**WAITING), max_concurrent_trials=1, stop={"training_iteration": 2})
    assert trial.state == "STOPPED"
    assert len(trial.history) == 2
    wait_for(nothing_is_left)


class PauseOnce:
    """Pauses every trial after its second result, and resumes it when nothing else is to be started."""

    def __init__(self) -> None:
        self._paused: list[str] = []

    @mt.hookimpl
    def decide(self, trial: mt.Trial, result: mt.Result) -> mt.Decision | None:
        return mt.Pause("once") if result.training_iteration == 2 and trial.starts == 1 else None

    @mt.hookimpl
    def on_pause(self, trial: mt.Trial) -> None:
        self._paused.append(trial.id)

    @mt.hookimpl
    def on_start(self, trial: mt.Trial) -> None:
        if trial.id in self._paused:
            self._paused.remove(trial.id)

    @mt.hookimpl
    def suggest(self) -> mt.Suggestion | None:
        return mt.Resume(self._paused[0]) if self._paused else None


def test_a_paused_trial_ends_its_workers_and_goes_on_from_its_checkpoint(cluster, fit, wait_for):
    (trial,) = fit(train, executor=RayExecutor(**WAITING), max_concurrent_trials=1, scheduler=PauseOnce())
    assert trial.state == "COMPLETED"
    assert [(row["training_iteration"], row["first"]) for row in trial.history] == [(1, 0), (2, 0), (3, 2), (4, 2), (5, 2)]
    wait_for(nothing_is_left)


def test_a_worker_that_fails_fails_the_trial_whose_retry_goes_on_from_its_checkpoint(cluster, fit, wait_for):
    logger = FakeLogger()
    (trial,) = fit(
        train, executor=RayExecutor(**WAITING), param_space={"x": mt.uniform(0, 1), "fails_after": 3},
        max_concurrent_trials=1, max_failures=1, loggers=[logger],
    )  # fmt: skip
    assert trial.state == "COMPLETED"
    assert [row["first"] for row in trial.history] == [0] * 3 + [3] * 2
    (failure,) = [event.body["failure"] for event in logger.events if event.body.get("failure")]
    assert failure["kind"] == "error"
    assert "is out of luck" in failure["traceback"]
    wait_for(nothing_is_left)


def test_a_trial_whose_process_is_killed_is_lost_and_leaves_nobody_behind(cluster, fit, wait_for, tmp_path):
    killed = []

    def kill() -> None:
        (pid,) = tmp_path.joinpath("pids").iterdir()
        killed.append(int(pid.name))
        os.kill(killed[0], signal.SIGKILL)

    (tmp_path / "pids").mkdir()
    logger = FakeLogger()
    (trial,) = fit(
        train, executor=RayExecutor(**WAITING), param_space={"x": mt.uniform(0, 1), "pids": str(tmp_path / "pids")},
        max_concurrent_trials=1, max_failures=0, loggers=[logger, Once(2, kill)],
    )  # fmt: skip
    assert trial.state == "COMPLETED"
    assert [event.body["failure"]["kind"] for event in logger.events if event.body.get("failure")] == ["lost"]
    assert trial.history[-1]["first"] >= 2
    assert [row["training_iteration"] for row in trial.history] == list(range(1, STEPS + 1))
    wait_for(nothing_is_left)


class Once:
    """Does something when so many results have come."""

    def __init__(self, results: int, act: Callable[[], Any]) -> None:
        self._left = results
        self._act = act

    @mt.hookimpl
    def on_result(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._act()
