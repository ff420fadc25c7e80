from __future__ import annotations

from typing import Any

import pytest
import ray

from microtune.testing import ExecutorContract


@pytest.mark.usefixtures("cluster")
class TestContract(ExecutorContract):
    plugin = "ray"
    slots = 2
    processes = kills = limited = True

    def make(self) -> Any:
        """With processes at hand that Ray makes into actors: some tests give a trial a second to be started."""

        @ray.remote(num_cpus=1)
        def nothing() -> None:
            pass

        ray.get([nothing.remote() for _ in range(2)])
        return super().make()
