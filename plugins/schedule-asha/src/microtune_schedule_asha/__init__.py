"""ASHA: asynchronous successive halving, in its stopping and its promotion variant."""

from __future__ import annotations

from microtune_schedule_asha.asha import ASHA

__all__ = ["ASHA"]
