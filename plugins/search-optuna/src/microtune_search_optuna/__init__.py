"""Optuna: its samplers as a searcher, its pruners as a scheduler."""

from __future__ import annotations

from microtune_search_optuna.scheduler import OptunaPruning
from microtune_search_optuna.searcher import OptunaSearch

__all__ = ["OptunaPruning", "OptunaSearch"]
