"""Nodes that die and nodes that come, with several raylets on one machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

import microtune as mt
from microtune.testing.fakes import FakeLogger

PATIENCE = 60.0  # seconds, for anything: many times what it takes
STORE = {"object_store_memory": 100_000_000}


@pytest.fixture
def nodes() -> Iterator[Cluster]:
    """A head without CPUs: trials run on the nodes that a test adds."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **STORE})
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def steps(config: dict[str, Any]) -> None:
    """Ten of them, each with a checkpoint; the sixth waits until the node is lost."""
    folder, happened = mt.get_checkpoint(), Path(config["happened"])
    first = int((folder / "step").read_text()) if folder else 0
    node = ray.get_runtime_context().get_node_id()
    (happened.parent / f"{os.getpid()}.pid").write_text(node)
    for step in range(first + 1, 11):
        end = time.monotonic() + PATIENCE
        while step == 6 and not happened.exists() and time.monotonic() < end:
            time.sleep(0.02)
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=config["x"] * step, first=first, node=node, checkpoint=draft)


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


def test_the_trials_of_a_lost_node_go_on_from_their_checkpoints_on_another_and_nobody_else_is_disturbed(
    nodes, fit, wait_for, lives, tmp_path
):
    kept = nodes.add_node(num_cpus=2, **STORE)
    lost = nodes.add_node(num_cpus=2, **STORE)
    nodes.wait_for_nodes()
    happened = tmp_path / "happened"

    def lose() -> None:
        there = [int(file.stem) for file in tmp_path.glob("*.pid") if file.read_text() == lost.node_id]
        nodes.remove_node(lost, allow_graceful=False)  # its raylet; the workers follow when they miss it
        wait_for(lambda: not any(map(lives, there)))
        happened.touch()

    losing = threading.Thread(target=lose)
    logger, once = FakeLogger(), Once(20, losing.start)  # four trials, five results each: then they all wait
    results = fit(
        steps, param_space={"x": mt.uniform(0, 1), "happened": str(happened)}, num_samples=6,
        loggers=[logger, once], max_failures=0,
    )  # fmt: skip
    losing.join()
    assert [trial.state for trial in results] == ["COMPLETED"] * 6
    failures = [event.body["failure"]["kind"] for event in logger.events if event.body.get("failure")]
    assert failures == ["lost", "lost"]
    for trial in results:
        assert [row["training_iteration"] for row in trial.history] == list(range(1, 11))
        assert [row["loss"] for row in trial.history] == [trial.config["x"] * step for step in range(1, 11)]
    moved = [trial for trial in results if trial.history[0]["node"] == lost.node_id]
    assert len(moved) == 2
    for trial in moved:
        assert [row["first"] for row in trial.history] == [0] * 5 + [5] * 5
        assert {row["node"] for row in trial.history[5:]} == {kept.node_id}
    for trial in results:
        if trial not in moved:
            assert {(row["first"], row["node"]) for row in trial.history} == {(0, kept.node_id)}


def test_the_trials_of_a_node_that_is_preempted_go_on_elsewhere_and_are_no_failures(nodes, fit, lives, wait_for, tmp_path):
    kept = nodes.add_node(num_cpus=1, **STORE)
    preempted = nodes.add_node(num_cpus=1, **STORE)
    nodes.wait_for_nodes()
    happened, noticed = tmp_path / "happened", []

    def preempt() -> None:
        """What a cloud does: it gives notice, from which on Ray starts nothing there, and then takes the machine."""
        there = [int(file.stem) for file in tmp_path.glob("*.pid") if file.read_text() == preempted.node_id]
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + PATIENCE) * 1000)
        client = GcsClient(address=nodes.address)
        noticed.append(client.drain_node(preempted.node_id, reason, "to be reclaimed", deadline))
        nodes.remove_node(preempted, allow_graceful=False)
        wait_for(lambda: not any(map(lives, there)))
        happened.touch()

    preempting = threading.Thread(target=preempt)
    logger, once = FakeLogger(), Once(10, preempting.start)
    results = fit(
        steps, param_space={"x": mt.uniform(0, 1), "happened": str(happened)}, num_samples=2,
        loggers=[logger, once], max_failures=0,
    )  # fmt: skip
    preempting.join()
    assert noticed == [(True, "")]
    assert [trial.state for trial in results] == ["COMPLETED"] * 2
    assert [event.body["failure"]["kind"] for event in logger.events if event.body.get("failure")] == ["lost"]
    (moved,) = (trial for trial in results if trial.history[0]["node"] == preempted.node_id)
    assert [row["first"] for row in moved.history] == [0] * 5 + [5] * 5
    assert {row["node"] for row in moved.history[5:]} == {kept.node_id}


def test_a_node_that_comes_in_the_middle_is_used(nodes, fit, tmp_path):
    nodes.add_node(num_cpus=1, **STORE)
    nodes.wait_for_nodes()
    happened, added = tmp_path / "happened", []

    def add() -> None:
        added.append(nodes.add_node(num_cpus=2, **STORE))

    def train(config: dict[str, Any]) -> dict[str, Any]:
        """Waits until three trials are there at a time."""
        (happened / mt.get_context().trial_id).touch()
        mt.report(loss=1.0)
        end = time.monotonic() + PATIENCE
        while len(list(happened.iterdir())) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        return {"loss": 0.0, "node": ray.get_runtime_context().get_node_id(), "seen": len(list(happened.iterdir()))}

    happened.mkdir()
    results = fit(train, num_samples=3, loggers=[Once(1, add)])
    assert [trial.metrics["seen"] for trial in results] == [3, 3, 3]
    assert [trial.metrics["node"] for trial in results].count(added[0].node_id) == 2


def test_a_head_without_room_for_a_trial_refuses_it_and_says_what_there_is(nodes, fit):
    nodes.add_node(num_cpus=1, **STORE)
    nodes.wait_for_nodes()
    with pytest.raises(mt.OptionError, match=r"a trial needs cpu: 2, and the nodes of the Ray cluster have .*cpu: 1"):
        fit(steps, resources={"cpu": 2})


def test_with_a_queue_a_trial_waits_for_the_node_that_an_autoscaler_adds(nodes, fit):
    signal.signal(signal.SIGALRM, lambda *_: nodes.add_node(num_cpus=2, **STORE))  # in the main thread, as Ray wants it
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    (trial,) = fit(lambda config: 1.0, resources={"cpu": 2}, executor="ray:queue=1")
    assert trial.state == "COMPLETED"


