"""What holds for all tests of the whole house."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest

# A process inherits what its parent ignores, and nohup or a shell's & may have had the tests ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Three slots on a Ray that all runs on Ray share, where that executor is installed."""
    if "ray" not in entry_points(group="microtune.executors").names:
        yield
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(
        num_cpus=3, include_dashboard=False, object_store_memory=200_000_000, logging_level="ERROR", log_to_driver=False
    )
    yield
    ray.shutdown()


@pytest.fixture
def by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker on Ray cannot import a test module by its name, so what is defined in one travels with its code."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What test_compositions.py found to work together. A letter for each executor: inline, local, ray, simulated."""
    passed = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    found = {tuple(value) for report in passed for name, value in report.user_properties if name == "composition"}
    if not found:
        return
    searchers, schedulers, executors = (sorted(set(names)) for names in zip(*found, strict=True))
    heads = [f"`{name.partition(':')[0]}`" for name in searchers]
    terminalreporter.write_line(f"| | {' | '.join(heads)} |")
    terminalreporter.write_line("|---" * (len(searchers) + 1) + "|")
    for scheduler in schedulers:
        cells = [" ".join(name[0] for name in executors if (each, scheduler, name) in found) for each in searchers]
        terminalreporter.write_line(f"| {f'`{scheduler}`' if scheduler else 'no scheduler'} | {' | '.join(cells)} |")
