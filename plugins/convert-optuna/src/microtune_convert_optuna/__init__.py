"""Optuna: a run as a study, and a study as a run."""

from __future__ import annotations

from microtune_convert_optuna.reading import read
from microtune_convert_optuna.writing import write

__all__ = ["read", "write"]
