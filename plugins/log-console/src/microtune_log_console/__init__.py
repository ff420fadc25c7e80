"""The console of microtune."""

from __future__ import annotations

from microtune_log_console.logger import ConsoleLogger

__all__ = ["ConsoleLogger"]
