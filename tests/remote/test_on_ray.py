"""Nodes that share nothing but the store."""

from __future__ import annotations

import os
import signal
import time

import pytest
import ray
from ray.cluster_utils import Cluster

import microtune as mt

STORE = {"object_store_memory": 100_000_000}
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
LONG = 120.0  # seconds, within which a node is lost or has never been


@pytest.fixture
def nodes(endpoint):
    """A head without CPUs: trials run on the nodes that a test adds."""
    # A port that another Ray on this machine has leaves a socket open.
    head = {"num_cpus": 0, "include_dashboard": False, "dashboard_port": None, "_system_config": SOON, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def steps(config):
    """Six with a checkpoint each; the fourth never comes on the node that it begins on."""
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 7):
        if step == 4 and not first:
            time.sleep(LONG)
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        node = ray.get_runtime_context().get_node_id()
        mt.report(loss=config["x"] * step, first=first, node=node, pid=os.getpid(), checkpoint=draft)


class Loses:
    """Loses a node, and the worker on it, when its trial has reported three times, and brings another."""

    def __init__(self, nodes, node):
        self._nodes, self._node = nodes, node

    @mt.hookimpl
    def on_result(self, result):
        if result.training_iteration == 3:
            self._nodes.add_node(num_cpus=1, **STORE)
            self._nodes.remove_node(self._node, allow_graceful=False)
            os.kill(result.metrics["pid"], signal.SIGKILL)


@pytest.mark.usefixtures("by_value")
def test_the_trial_of_a_lost_node_goes_on_from_the_store_on_another(nodes, tuner, objects):
    lost = nodes.add_node(num_cpus=1, **STORE)
    nodes.wait_for_nodes()
    (trial,) = tuner(steps, executor="ray", scheduler=Loses(nodes, lost), max_failures=0, checkpoints={"keep": 1}).fit()
    assert (trial.state, trial.error) == ("COMPLETED", None)
    assert [row["first"] for row in trial.history] == [0, 0, 0, 3, 3, 3]
    assert len({row["node"] for row in trial.history}) == 2
    assert objects() == ["tune/run/run.json", "tune/run/trials/00000/checkpoints/6-2/step"]
    with mt.as_directory(trial.checkpoint) as folder:
        assert (folder / "step").read_text() == "6"
