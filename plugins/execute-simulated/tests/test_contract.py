from __future__ import annotations

from microtune.testing import ExecutorContract


class TestContract(ExecutorContract):
    plugin = "simulated"
    options = {"workers": 3}
    slots = 3
    virtual_time = True
    deterministic = True
