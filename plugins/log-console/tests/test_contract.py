from __future__ import annotations

from microtune.testing import LoggerContract


class TestContract(LoggerContract):
    plugin = "console"
