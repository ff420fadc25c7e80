"""The median stopping rule."""

from __future__ import annotations

from microtune_schedule_median.median import Median

__all__ = ["Median"]
