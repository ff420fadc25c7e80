from __future__ import annotations

from microtune.testing import SchedulerContract


class TestCompleted(SchedulerContract):
    plugin = "median"


class TestAll(SchedulerContract):
    plugin = "median"
    options = {"compare_to": "all", "min_samples_required": 1, "interval": 2}
