"""HyperBand: successive halving in brackets that differ in how early they judge."""

from __future__ import annotations

from microtune_schedule_hyperband.hyperband import HyperBand

__all__ = ["HyperBand"]
