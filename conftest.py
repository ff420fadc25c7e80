"""Every test of this repository: its folder is in memory where there is room; on a disk most of them take twice as long."""

import os
import shutil
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH = 4 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Not where programs may not be executed, as some tests do. A place that is named, as `--basetemp` does, is the place."""
    if config.option.basetemp is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        if not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
