from __future__ import annotations

from microtune.testing import SchedulerContract


class TestOneBracketThatIsNeverFull(SchedulerContract):
    plugin = "hyperband"
    options = {"max_t": 27}


class TestManySmallBrackets(SchedulerContract):
    """Of 4, 3 and 3 trials at 6, 13 and 27, and round again."""

    plugin = "hyperband"
    options = {"max_t": 27, "grace_period": 4, "reduction_factor": 2}
