"""Learning curves, by what became of the trial."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from microtune import Result, ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.lives import Life
from microtune_view_report.story import story_of
from microtune_view_report.theme import clock, drawing, escaped, fate_colours
from microtune_view_report.thinning import best_and_some, curve, sight

MOST_CURVES = 240
MOST_POINTS = 120  # of a curve


def figure(
    grid: ResultGrid, *, x: str = "training_iteration", metric: str | None = None, mode: str | None = None
) -> go.Figure:
    """What each trial reported as it trained, coloured by what became of it.

    x: "training_iteration", "time_total_s", "elapsed" (seconds since the run began), or the name of a metric.
    metric, mode: another one than the run's own; of several, the first.
    """
    story = story_of(grid)
    objective = telling.single(telling.followed(story, metric, mode))
    drawn: list[tuple[float, tuple[Life, list[list[tuple[float, float]]]]]] = []
    for life in story.lives.values():
        lines = [[(at, value) for r in line.results if (at := _x(r, x)) is not None
                  and (value := objective.value(r)) is not None and math.isfinite(value)] for line in life.lines]  # fmt: skip
        if any(lines):
            drawn.append((objective.score(life.last or {}), (life, [line for line in lines if line])))
    if not any(len(line) > 1 for _, (_, lines) in drawn for line in lines):
        raise RunError("no trial has reported twice: there is no curve")
    shown = best_and_some(drawn, MOST_CURVES)
    # By where they begin and end: most of the points are those of the longest curves, which are the best.
    span, _ = sight([value for _, lines in shown for line in lines for value in (line[0][1], line[-1][1])], objective)
    values = (value for _, lines in shown for line in lines for _, value in line)
    worse = sum(not span[0] <= value <= span[1] for value in values) if span else 0
    few = len(shown) < 100
    in_time = x in ("elapsed", "time_total_s")
    size, unit = clock(max(at for _, lines in shown for line in lines for at, _ in line)) if in_time else (1.0, "")
    traces = []
    for fate, colour in fate_colours(life.fate for life, _ in shown).items():
        xs: list[float | None] = []
        ys: list[float | None] = []
        texts: list[str] = []
        for life, lines in shown:
            if life.fate != fate:
                continue
            text = telling.about(life, None, objective)
            for line in lines:
                points = curve(line, MOST_POINTS)
                # A gap: all curves of one colour are one line for plotly, which draws that a hundred times faster.
                xs += [*(at / size for at, _ in points), None]
                ys += [*(value for _, value in points), None]
                texts += [text] * (len(points) + 1)
        traces.append(
            go.Scatter(
                x=xs, y=ys, text=texts, name=escaped(fate), mode="lines+markers",
                line={"color": colour, "width": 1.5 if few else 1}, marker={"color": colour, "size": 4 if few else 2},
                opacity=0.9 if few else 0.65, connectgaps=False,
                hovertemplate=f"%{{text}}<br>{_template(objective.metrics[0])}: %{{y:.6g}} at %{{x:.6g}}<extra></extra>",
            )
        )  # fmt: skip
    note = telling.joined(
        telling.thinned(len(shown), len(drawn), "curves", "the best and an even sample of the others"),
        telling.beyond(worse),
    )
    title = escaped(x, 40) if not in_time else f"elapsed {unit}" if x == "elapsed" else f"{unit} of training"
    return drawing(
        traces,
        note=note,
        xaxis_title=title,
        yaxis_title=escaped(objective.metrics[0], 40),
        yaxis_range=span,
        height=480,
    )


def _x(result: Result, name: str) -> float | None:
    value = result.at if name == "elapsed" else result.get(name)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _template(text: str) -> str:
    """A text inside a template, where %{...} would be filled in."""
    return escaped(text, 40).replace("%", "&#37;")
