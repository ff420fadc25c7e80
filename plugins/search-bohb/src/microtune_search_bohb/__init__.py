"""The model of BOHB (Falkner, Klein and Hutter, ICML 2018) as a searcher."""

from __future__ import annotations

from microtune_search_bohb.search import BOHBSearch

__all__ = ["BOHBSearch"]
