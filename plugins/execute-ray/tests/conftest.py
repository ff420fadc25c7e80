"""Ray for tests: small, quiet, and gone when they are over."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# A folder of its own: `ray.init` joins any cluster that was started in the same one, such as that of tests in another process.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled", RAY_TMPDIR=tempfile.mkdtemp(prefix="mt-"))

import ray
from ray import cloudpickle

from microtune import ResultGrid, Tuner, uniform
from microtune.testing.fakes import FakeSearcher

SMALL = {"include_dashboard": False, "object_store_memory": 200_000_000, "logging_level": "ERROR", "log_to_driver": False}
# What needs an extra is tested in an environment of its own, which has it.
collect_ignore = [
    file for file, needed in (("test_train.py", "pyarrow"), ("test_rllib.py", "gymnasium")) if find_spec(needed) is None
]
PATIENCE = 60.0  # seconds, for anything: many times what it takes


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray of the caller's, with logical GPUs. Its address."""
    ray.init(num_cpus=4, num_gpus=2, resources={"licence": 3}, **SMALL)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(autouse=True)
def by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker cannot import a test module by its name, so what is defined in one travels with its code."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., ResultGrid]:
    """A run on Ray in this test's folder."""

    def fit(trainable: Any, **more: Any) -> ResultGrid:
        given = {
            "param_space": {"x": uniform(0, 1)}, "metric": "loss", "mode": "min", "seed": 1, "storage_path": tmp_path,
            "name": "run", "loggers": (), "searcher": FakeSearcher(), "executor": "ray", **more,
        }  # fmt: skip
        return Tuner(trainable, **given).fit()

    return fit


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any]], Any]:
    """Wait until something is so, and return it."""

    def wait_for(met: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (answer := met()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return answer

    return wait_for


@pytest.fixture
def lives() -> Callable[[int], bool]:
    """Whether a process does."""

    def lives(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return lives
