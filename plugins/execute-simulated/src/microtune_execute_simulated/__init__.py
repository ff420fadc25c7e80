"""Trials in virtual time, on any number of workers that do not exist."""

from __future__ import annotations

from microtune_execute_simulated.curves import Curve, Table
from microtune_execute_simulated.executor import SimulatedExecutor

__all__ = ["Curve", "SimulatedExecutor", "Table"]
