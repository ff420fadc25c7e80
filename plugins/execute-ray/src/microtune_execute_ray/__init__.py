"""microtune's Ray executor: trials in warm actors on a Ray cluster.

The class is loaded on first use: the workers import this package too, and none of the driver's side of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["RayExecutor"]

if TYPE_CHECKING:
    from microtune_execute_ray.executor import RayExecutor as RayExecutor


def __getattr__(name: str) -> object:
    if name != "RayExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from microtune_execute_ray.executor import RayExecutor

    return RayExecutor
