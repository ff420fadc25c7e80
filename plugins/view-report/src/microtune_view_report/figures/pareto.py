"""Runs with several metrics: the trials that none dominates."""

from __future__ import annotations

import math
from itertools import combinations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microtune import Objective, ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.lives import Life
from microtune_view_report.story import story_of
from microtune_view_report.theme import GREY, RED, escaped, noted, template
from microtune_view_report.thinning import evenly, sight

MOST_METRICS = 4
MOST_OTHERS = 1500


def figure(grid: ResultGrid) -> go.Figure:
    """The trials whose last metrics no other trial beats in all; of three metrics and more, each pair beside the others.

    The front is that of all metrics, also in the panel of two of them.
    """
    story = story_of(grid)
    objective = story.objective
    if len(objective.metrics) < 2:
        raise RunError("the run has one metric: there is one best, and no front")
    if len(objective.metrics) > MOST_METRICS:
        raise RunError(
            f"the run has {len(objective.metrics)} metrics: pairs of more than {MOST_METRICS} cannot be read"
        )
    lives = [
        life
        for life in story.lives.values()
        if life.last and all(math.isfinite(s) for s in objective.scores(life.last))
    ]
    if not lives:
        raise RunError("no trial has a finite value of every metric")
    best = {*objective.pareto([life.last for life in lives if life.last])}
    front = [life for i, life in enumerate(lives) if i in best]
    others = evenly([life for i, life in enumerate(lives) if i not in best], MOST_OTHERS)
    pairs = [*combinations(range(len(objective.metrics)), 2)]
    columns = min(3, len(pairs))
    rows = -(-len(pairs) // columns)
    picture = make_subplots(rows=rows, cols=columns, horizontal_spacing=0.09, vertical_spacing=0.25 / rows)
    notes = []
    for index, (a, b) in enumerate(pairs):
        row, column = index // columns + 1, index % columns + 1
        x, y = telling.single(objective, a), telling.single(objective, b)
        for trace in _panel(front, others, objective, x, y, connected=len(pairs) == 1):
            trace.showlegend = index == 0
            picture.add_trace(trace, row=row, col=column)
        span, worse = sight([v for life in lives if life.last and (v := x.value(life.last)) is not None], x)
        picture.update_xaxes(title_text=f"{escaped(x.metrics[0], 30)} ({x.modes[0]})", range=span, row=row, col=column)
        tall, lower = sight([v for life in lives if life.last and (v := y.value(life.last)) is not None], y)
        picture.update_yaxes(title_text=f"{escaped(y.metrics[0], 30)} ({y.modes[0]})", range=tall, row=row, col=column)
        notes.append(telling.beyond(worse + lower))
    picture.update_layout(template=template(), height=120 + 340 * rows)
    there = len(lives) - len(front)
    notes.insert(0, telling.thinned(len(others), there, "dominated trials", "an even sample"))
    return noted(picture, telling.joined(*dict.fromkeys(notes)))


def _panel(
    front: list[Life], others: list[Life], objective: Objective, x: Objective, y: Objective, connected: bool
) -> list[go.Scatter]:
    ordered = sorted(front, key=lambda life: x.score(life.last or {}))
    traces = []
    for lives, name, marker in (
        (others, "dominated", {"color": GREY, "size": 6, "opacity": 0.55}),
        (ordered, "Pareto front", {"color": RED, "size": 9}),
    ):
        stepped = connected and name != "dominated"
        traces.append(
            go.Scatter(
                x=[x.value(life.last) for life in lives if life.last], y=[y.value(life.last) for life in lives if life.last],
                text=[telling.about(life, life.last, objective) for life in lives], name=name, legendgroup=name, marker=marker,
                # Between two of the front, whatever is attained lies on the worse side of this corner.
                mode="lines+markers" if stepped else "markers", line={"shape": "vh", "width": 1.5, "color": RED},
                hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    return traces
