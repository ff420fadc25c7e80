"""Pictures of a run: figures for a notebook, and `microtune report`, one HTML file that needs no network."""

from __future__ import annotations

from microtune_view_report.page import page

__all__ = ["page"]
