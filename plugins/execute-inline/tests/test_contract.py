from __future__ import annotations

from microtune.testing import ExecutorContract


class TestContract(ExecutorContract):
    plugin = "inline"
