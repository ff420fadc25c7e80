"""The value of every trial, and the best one so far."""

from __future__ import annotations

import math
from typing import Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microtune import Objective, OptionError, ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.lives import Life
from microtune_view_report.story import Story, story_of
from microtune_view_report.theme import GREY, clock, escaped, fate_colours, noted, template
from microtune_view_report.thinning import best_and_some, sight

MOST = 4000  # points


def figure(
    grid: ResultGrid,
    *,
    x: Literal["number", "time"] = "number",
    metric: str | None = None,
    mode: str | None = None,
) -> go.Figure:
    """The last value of every trial, and the best so far.

    x: "number": in the order of creation; "time": when the value came, in elapsed time, the pauses between sessions left out.
    metric, mode: another one than the run's own; a run with several has a row for each.
    """
    if x not in ("number", "time"):
        raise OptionError(f"history: x={x!r}; it is 'number' or 'time'")
    story = story_of(grid)
    objective = telling.followed(story, metric, mode)
    singles = [telling.single(objective, i) for i in range(len(objective.metrics))]
    picture = make_subplots(rows=len(singles), cols=1, shared_xaxes=True, vertical_spacing=0.25 / len(singles) ** 2)
    notes = [_row(picture, story, each, row, x) for row, each in enumerate(singles, start=1)]
    if not picture.data:
        raise RunError(f"no trial has a finite {' or '.join(objective.metrics)}")
    picture.update_layout(template=template(), height=180 + 260 * len(singles))
    unit = clock(story.elapsed)[1]
    picture.update_xaxes(title_text="trial" if x == "number" else f"elapsed {unit}", row=len(singles), col=1)
    return noted(picture, telling.joined(*dict.fromkeys(notes)))


def _row(picture: go.Figure, story: Story, objective: Objective, row: int, x: str) -> str:
    size = clock(story.elapsed)[0]
    rows = [
        (life.number if x == "number" else last.at / size, value, life)
        for life in story.lives.values()
        if (last := life.last) and (value := objective.value(last)) is not None and math.isfinite(value)
    ]
    rows.sort(key=lambda each: each[0])
    if not rows:
        return ""
    shown = best_and_some([(objective.score({objective.metrics[0]: each[1]}), each) for each in rows], MOST)
    fates = fate_colours(life.fate for _, _, life in shown)
    for fate, colour in fates.items():
        mine = [each for each in shown if each[2].fate == fate]
        picture.add_trace(
            go.Scatter(
                x=[each[0] for each in mine], y=[each[1] for each in mine], mode="markers", name=escaped(fate),
                legendgroup=fate, showlegend=row == 1 or all(trace.legendgroup != fate for trace in picture.data),
                marker={"color": colour, "size": 7 if len(shown) < 500 else 5, "opacity": 0.85,
                        "symbol": "x" if fate == "failed" else "circle"},
                text=[telling.about(life, life.last, objective) for _, _, life in mine], hovertemplate="%{text}<extra></extra>",
            ), row=row, col=1,
        )  # fmt: skip
    steps = _incumbents(rows, objective)
    picture.add_trace(
        go.Scatter(
            x=[at for at, _, _ in steps] + [rows[-1][0]], y=[value for _, value, _ in steps] + [steps[-1][1]],
            mode="lines", line={"shape": "hv", "color": GREY, "width": 2}, name="best so far", legendgroup="best",
            showlegend=row == 1, hovertemplate="best so far: %{y:.6g}<extra></extra>",
        ), row=row, col=1,
    )  # fmt: skip
    span, worse = sight([value for _, value, _ in rows], objective)
    title = f"{escaped(objective.metrics[0], 40)} ({objective.modes[0]})"
    picture.update_yaxes(title_text=title, range=span, row=row, col=1)
    return telling.joined(
        telling.thinned(len(shown), len(rows), "trials", "the best and an even sample of the others"),
        telling.beyond(worse),
    )


def _incumbents(rows: list[tuple[float, float, Life]], objective: Objective) -> list[tuple[float, float, Life]]:
    """The rows that are better than all before them."""
    steps: list[tuple[float, float, Life]] = []
    for row in rows:
        if not steps or (row[1] < steps[-1][1] if objective.modes[0] == "min" else row[1] > steps[-1][1]):
            steps.append(row)
    return steps
