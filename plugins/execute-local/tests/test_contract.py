from __future__ import annotations

from microtune.testing import ExecutorContract


class TestContract(ExecutorContract):
    plugin = "local"
    options = {"workers": 2}
    slots = 2
    processes = kills = limited = True


class TestContractSpawned(TestContract):
    options = {"workers": 2, "start": "spawn"}
