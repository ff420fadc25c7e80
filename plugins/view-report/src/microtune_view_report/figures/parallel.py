"""Parallel coordinates."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go

from microtune import ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.dimensions import MOST, Dimension, dimensions
from microtune_view_report.story import story_of
from microtune_view_report.theme import SCALE, drawing, escaped
from microtune_view_report.thinning import best_and_some, sight

MOST_TRIALS = 1000


def figure(grid: ResultGrid, *, metric: str | None = None, mode: str | None = None) -> go.Figure:
    """Each trial as a line through its parameters to its metrics; drag along an axis to choose a range.

    metric, mode: another one than the run's own, which it has all of.
    """
    story = story_of(grid)
    objective = telling.followed(story, metric, mode)
    there = [
        (min(objective.scores(life.last)), life)
        for life in story.lives.values()
        if life.last and math.isfinite(min(objective.scores(life.last)))
    ]
    lives = best_and_some([(objective.score(life.last or {}), life) for _, life in there], MOST_TRIALS)
    found = dimensions(story, lives)
    if len(lives) < 2 or not found:
        raise RunError("it takes two trials that reported, and a parameter in which they differ")
    axes = [_axis(dimension) for dimension in found[:MOST]]
    worse = 0
    for index, name in enumerate(objective.metrics):
        one = telling.single(objective, index)
        values = [one.value(life.last) if life.last else None for life in lives]
        span, off = sight([value for value in values if value is not None], one)
        worse += off
        low, high = span or (min(v for v in values if v is not None), max(v for v in values if v is not None))
        # A line that left the axis would be drawn across the whole figure: it ends where the axis ends.
        shown = [min(max(value, low), high) if value is not None else low for value in values]
        axes.append({"label": escaped(name, 24), "values": shown, **({"range": [low, high]} if high > low else {})})
        if index == 0:
            colours = shown
    trace = go.Parcoords(
        dimensions=axes, labelangle=-12 if len(axes) > 6 else 0, labelfont={"size": 12}, tickfont={"size": 11},
        unselected={"line": {"opacity": 0.08}},
        line={"color": colours, "colorscale": SCALE, "reversescale": objective.modes[0] == "min", "showscale": True,
              "colorbar": {"title": {"text": escaped(objective.metrics[0], 20)}, "thickness": 12}},
    )  # fmt: skip
    hidden = len(found) - MOST
    note = telling.joined(
        telling.thinned(len(lives), len(there), "trials", "the best and an even sample of the others"),
        f"{hidden} more parameters are not drawn." if hidden > 0 else "",
        f"{worse:,} worse values are drawn at the end of their axis." if worse else "",
    )
    return drawing([trace], note=note, height=460, margin={"l": 96, "r": 40, "t": 90, "b": 40})


def _axis(dimension: Dimension) -> dict[str, Any]:
    label = escaped(dimension.name, 24)
    missing = any(value is None for value in dimension.values)
    if dimension.categories is not None:
        places = {name: i for i, name in enumerate(dimension.categories)}
        texts = [escaped(name, 14) for name in dimension.categories]
        ticks: list[float] = [*range(len(texts))]
        values: list[float] = [places[value] if value is not None else -1 for value in dimension.values]
        low, high = 0.0, float(len(texts) - 1)
        step = -(-len(ticks) // 20)
        ticks, texts = ticks[::step], texts[::step]
    else:
        scaled = [None if v is None else math.log10(v) if dimension.log else float(v) for v in dimension.values]
        real = [value for value in scaled if value is not None]
        low, high = min(real), max(real)
        ticks, texts = _ticks(low, high, dimension.log)
        gap = low - (high - low) / 8
        values = [gap if place is None else place for place in scaled]
    if missing:  # a place of its own, below the others, for trials in which it is not active
        bottom = -1.0 if dimension.categories is not None else low - (high - low) / 8
        ticks, texts, low = [bottom, *ticks], ["not active", *texts], bottom
    return {"label": label, "values": values, "tickvals": ticks, "ticktext": texts, "range": [low, high]}


def _ticks(low: float, high: float, log: bool) -> tuple[list[float], list[str]]:
    """Five places from end to end: the axis is drawn from the first tick to the last. `low` and `high` may be exponents."""
    places = [low + (high - low) * i / 4 for i in range(5)]
    return places, [f"{10**place if log else place:.4g}" for place in places]
