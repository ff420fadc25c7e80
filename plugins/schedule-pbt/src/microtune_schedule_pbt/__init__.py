"""Population based training, and what it leaves behind: the schedule of hyperparameters that its best trial followed."""

from __future__ import annotations

from microtune_schedule_pbt.lineage import schedule_of
from microtune_schedule_pbt.pbt import PBT
from microtune_schedule_pbt.replay import PBTReplay

__all__ = ["PBT", "PBTReplay", "schedule_of"]
