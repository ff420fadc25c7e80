"""The contract of schedulers, kept by two small ones."""

from __future__ import annotations

import microtune as mt
from microtune.testing import SchedulerContract


class Halving:
    """Stops a trial that is worse than the best half at iteration 9, at 18 the same."""

    def __init__(self) -> None:
        self._rungs = {9: [], 18: []}

    @mt.hookimpl
    def setup(self, run):
        self._objective = run.objective.single("halving")

    @mt.hookimpl
    def on_result(self, result):
        if result.training_iteration in self._rungs:
            self._rungs[result.training_iteration].append(self._objective.score(result))

    @mt.hookimpl
    def decide(self, result):
        scores = sorted(self._rungs.get(result.training_iteration, ()), reverse=True)
        if scores and self._objective.score(result) < scores[(len(scores) - 1) // 2]:
            return mt.Stop("worse than half")
        return None


class TestHalving(SchedulerContract):
    plugin = Halving


class TestASHA(SchedulerContract):
    plugin = "asha"
    options = {"max_t": 27, "reduction_factor": 3}

class TestASHAP(SchedulerContract):
    plugin = "asha"
    options = {"max_t": 27, "reduction_factor": 3, "type": "promotion"}
    pauses = True
