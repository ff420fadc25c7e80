from __future__ import annotations

from microtune.testing import SchedulerContract


class Population(SchedulerContract):
    options = {"perturbation_interval": 3, "max_t": 27}
    needs_checkpoints = True


class TestPBT(Population):
    plugin = "pbt"


class TestSynch(Population):
    plugin = "pbt"
    options = {"perturbation_interval": 3, "max_t": 27, "synch": True}


class TestPB2(Population):
    plugin = "pb2"
    options = {"perturbation_interval": 9, "max_t": 27, "window": 20}
