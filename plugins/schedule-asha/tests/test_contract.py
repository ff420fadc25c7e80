from __future__ import annotations

from microtune.testing import SchedulerContract


class TestStopping(SchedulerContract):
    plugin = "asha"
    options = {"max_t": 27, "reduction_factor": 3}


class TestPromotion(SchedulerContract):
    plugin = "asha"
    options = {"max_t": 27, "reduction_factor": 3, "type": "promotion"}
    pauses = True


class TestBrackets(SchedulerContract):
    plugin = "asha"
    options = {"max_t": 27, "reduction_factor": 3, "type": "promotion", "brackets": 3}
    pauses = True
