"""The kit for plugin authors: a contract for every role, and fakes. A plugin's whole conformance test is

    from microtune.testing import SearcherContract

    class TestContract(SearcherContract):
        plugin = "random"

The contracts need pytest (`pip install microtune-kernel[testing]`); the fakes do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_CONTRACTS = {
    "ExecutorContract": "executor",
    "LoggerContract": "logger",
    "ModifierContract": "modifier",
    "SchedulerContract": "scheduler",
    "SearcherContract": "searcher",
}
_HOME = {
    **_CONTRACTS,
    "FakeExecutor": "fakes",
    "FakeLogger": "fakes",
    "FakeScheduler": "fakes",
    "FakeSearcher": "fakes",
    "ScriptedExecutor": "fakes",
    "fake_dist": "dists",
}

__all__ = [
    "ExecutorContract",
    "FakeExecutor",
    "FakeLogger",
    "FakeScheduler",
    "FakeSearcher",
    "LoggerContract",
    "ModifierContract",
    "SchedulerContract",
    "ScriptedExecutor",
    "SearcherContract",
    "fake_dist",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microtune.testing' has no attribute {name!r}")
    module = f"microtune.testing.{_HOME[name]}"
    if name in _CONTRACTS:
        import pytest

        # Before their import, so that a failing assert shows its values.
        shared = [f"microtune.testing.{name}" for name in ("contract", "bench", "suffering")]
        pytest.register_assert_rewrite(*shared, module)
    return getattr(import_module(module), name)


if TYPE_CHECKING:
    from microtune.testing.dists import fake_dist
    from microtune.testing.executor import ExecutorContract
    from microtune.testing.fakes import (
        FakeExecutor,
        FakeLogger,
        FakeScheduler,
        FakeSearcher,
        ScriptedExecutor,
    )
    from microtune.testing.logger import LoggerContract
    from microtune.testing.modifier import ModifierContract
    from microtune.testing.scheduler import SchedulerContract
    from microtune.testing.searcher import SearcherContract
