"""The contract of executors, kept by the fake one."""

from __future__ import annotations

from microtune.testing import ExecutorContract, FakeExecutor


class TestFakeExecutor(ExecutorContract):
    plugin = FakeExecutor
    options = {"workers": 2, "capacity": {"cpu": 2.0}}
    slots = 2
    limited = True
    virtual_time = True
    deterministic = True
