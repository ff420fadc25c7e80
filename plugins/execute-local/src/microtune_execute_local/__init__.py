"""microtune's local executor: trials in warm worker processes on this machine.

The class is loaded on first use: the worker processes import this package too, and none of the driver's side of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["LocalExecutor"]

if TYPE_CHECKING:
    from microtune_execute_local.executor import LocalExecutor as LocalExecutor


def __getattr__(name: str) -> object:
    if name != "LocalExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from microtune_execute_local.executor import LocalExecutor

    return LocalExecutor
