"""Hyperopt (Bergstra, Yamins and Cox, ICML 2013) as a searcher."""

from __future__ import annotations

from microtune_search_hyperopt.search import HyperoptSearch

__all__ = ["HyperoptSearch"]
