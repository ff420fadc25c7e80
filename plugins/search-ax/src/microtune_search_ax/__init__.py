"""Ax: Bayesian optimisation with parameter and outcome constraints, and several objectives."""

from __future__ import annotations

from microtune_search_ax.search import AxSearch

__all__ = ["AxSearch"]
