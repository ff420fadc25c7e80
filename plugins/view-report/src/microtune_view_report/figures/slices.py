"""The metric over each parameter."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microtune import ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.dimensions import MOST, Dimension, dimensions
from microtune_view_report.story import story_of
from microtune_view_report.theme import SCALE, escaped, noted, template
from microtune_view_report.thinning import best_and_some, sight

MOST_TRIALS = 1500
COLUMNS = 3


def figure(
    grid: ResultGrid, *, parameters: list[str] | None = None, metric: str | None = None, mode: str | None = None
) -> go.Figure:
    """The last value of each trial over each of its parameters; from the first trials (brown) to the last (blue).

    parameters: their names, as the figure has them; None: the first 12. A parameter of a conditional branch has only the
    trials that took it. metric, mode: another one than the run's own; of several, the first.
    """
    story = story_of(grid)
    objective = telling.single(telling.followed(story, metric, mode))
    there = [
        (objective.score(life.last), life)
        for life in story.lives.values()
        if life.last and math.isfinite(objective.score(life.last))
    ]
    lives = best_and_some(there, MOST_TRIALS)
    found = dimensions(story, lives)
    chosen = found[:MOST] if parameters is None else [each for each in found if each.name in parameters]
    if not chosen:
        raise RunError("no parameter has two values among the trials that reported: there is nothing to compare")
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    picture = make_subplots(
        rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.03, vertical_spacing=0.32 / rows
    )
    values = [objective.value(life.last) if life.last else None for life in lives]
    texts = [telling.about(life, life.last, objective) for life in lives]
    numbers = [life.number for life in lives]
    for index, dimension in enumerate(chosen):
        row, column = index // columns + 1, index % columns + 1
        active = [i for i, value in enumerate(dimension.values) if value is not None]
        picture.add_trace(
            go.Scatter(
                x=_places(dimension, active), y=[values[i] for i in active], text=[texts[i] for i in active],
                mode="markers", showlegend=False, hovertemplate="%{text}<extra></extra>",
                marker={"color": [numbers[i] for i in active], "coloraxis": "coloraxis",
                        "size": 6 if len(lives) < 300 else 4.5, "opacity": 0.8},
            ), row=row, col=column,
        )  # fmt: skip
        picture.update_xaxes(title_text=escaped(dimension.name, 36), title_standoff=6, row=row, col=column)
        if dimension.categories is not None:
            ticks = _some(dimension.categories)
            picture.update_xaxes(
                tickvals=[i for i, _ in ticks], ticktext=[escaped(label, 14) for _, label in ticks],
                range=[-0.6, len(dimension.categories) - 0.4], row=row, col=column,
            )  # fmt: skip
        elif dimension.log:
            picture.update_xaxes(type="log", **_decades(dimension), row=row, col=column)
    span, worse = sight([value for value in values if value is not None], objective)
    picture.update_yaxes(range=span)
    picture.update_yaxes(title_text=escaped(objective.metrics[0], 30), col=1)
    picture.update_layout(
        template=template(), height=110 + 230 * rows, margin_t=24,
        coloraxis={"colorscale": SCALE, "colorbar": {"title": {"text": "trial"}, "thickness": 12}},
    )  # fmt: skip
    hidden = len(found) - len(chosen)
    note = telling.joined(
        telling.thinned(len(lives), len(there), "trials", "the best and an even sample of the others"),
        f"{hidden} more parameters are not drawn." if hidden and parameters is None else "",
        telling.beyond(worse),
    )
    return noted(picture, note)


def _places(dimension: Dimension, active: list[int]) -> list[float]:
    if dimension.categories is None:
        return [dimension.values[i] for i in active]
    place = {label: i for i, label in enumerate(dimension.categories)}
    # Beside each other, that equal ones do not hide each other: by trial, so that the figure is the same each time.
    return [place[dimension.values[i]] + 0.28 * math.sin(2.4 * i) for i in active]


def _some(categories: list[str]) -> list[tuple[int, str]]:
    step = -(-len(categories) // 8)
    return [*enumerate(categories)][::step]


def _decades(dimension: Dimension) -> dict[str, Any]:
    """Ticks at about four powers of ten; where there are not two, plotly's own."""
    values = [value for value in dimension.values if value is not None]
    first, last = math.ceil(math.log10(min(values))), math.floor(math.log10(max(values)))
    if first >= last:
        return {}
    powers = range(first, last + 1, -(-(last - first + 1) // 4))
    return {"tickvals": [10.0**power for power in powers], "ticktext": [f"{10.0**power:g}" for power in powers]}
