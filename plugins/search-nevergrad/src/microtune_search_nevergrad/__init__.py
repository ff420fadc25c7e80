"""Nevergrad (Rapin and Teytaud, 2018) as a searcher."""

from __future__ import annotations

from microtune_search_nevergrad.search import NevergradSearch

__all__ = ["NevergradSearch"]
