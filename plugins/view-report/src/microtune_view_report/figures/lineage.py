"""Population based training: who took over whom, and what its parameters went through."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microtune import Objective, ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.dimensions import dimensions
from microtune_view_report.lives import Life, Line
from microtune_view_report.story import Story, story_of
from microtune_view_report.theme import GREY, RED, SCALE, escaped, noted, spelled, template
from microtune_view_report.thinning import best_and_some

MOST_MEMBERS = 60
MOST_PARAMETERS = 4
Ancestor = tuple[Life, Line, int, float]  # with its line up to and without this iteration


def figure(grid: ResultGrid, *, metric: str | None = None, mode: str | None = None) -> go.Figure:
    """Who took over whose checkpoint; the red line is the descent of the best trial, with its parameters below.

    metric, mode: another one than the run's own; of several, the first.
    """
    story = story_of(grid)
    objective = telling.single(telling.followed(story, metric, mode))
    if not any(line.donor for life in story.lives.values() for line in life.lines):
        raise RunError("no trial has taken over another one's checkpoint")
    involved = [life for life in story.lives.values() if life.last]
    best = story.best(objective)
    descent = ancestry(story, best) if best else []
    members = best_and_some([(objective.score(life.last or {}), life) for life in involved], MOST_MEMBERS)
    members = sorted({*members, *(life for life, *_ in descent)}, key=lambda life: life.number)
    varied = [each for each in dimensions(story, [life for life, *_ in descent]) if each.categories is None]
    varied = [each for each in varied if each.name in story.space.spec][:MOST_PARAMETERS]
    rows = 1 + len(varied)
    tall = [max(260, min(900, 22 * len(members) + 90)), *[130] * len(varied)]
    picture = make_subplots(
        rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.04, row_heights=[each / sum(tall) for each in tall]
    )
    height = {life.id: place for place, life in enumerate(members)}
    for trace in [
        *_members(members, height, objective),
        *_takeovers(members, height, story),
        *_descent(descent, height),
    ]:
        picture.add_trace(trace, row=1, col=1)
    for row, dimension in enumerate(varied, start=2):
        picture.add_trace(_schedule(dimension.name, descent), row=row, col=1)
        kind = "log" if dimension.log else "linear"
        picture.update_yaxes(title_text=escaped(dimension.name, 18), type=kind, nticks=4, row=row, col=1)
    step = -(-len(members) // 40)
    picture.update_yaxes(
        title_text="trial", tickvals=[*range(len(members))][::step], ticktext=[str(m.number) for m in members][::step],
        range=[len(members) - 0.4, -0.6], showgrid=False, row=1, col=1,
    )  # fmt: skip
    picture.update_xaxes(title_text="training_iteration", row=rows, col=1)
    picture.update_layout(
        template=template(), height=sum(tall) + 120,
        coloraxis={"colorscale": SCALE, "reversescale": objective.modes[0] == "min",
                   "colorbar": {"title": {"text": escaped(objective.metrics[0], 20)}, "thickness": 12,
                                "len": tall[0] / sum(tall), "y": 1, "yanchor": "top"}},
    )  # fmt: skip
    return noted(
        picture, telling.thinned(len(members), len(involved), "trials", "the best, their descent and an even sample")
    )


def ancestry(story: Story, best: Life) -> list[Ancestor]:
    """Through which lines of which trials the state of this one came: the oldest first, each from one iteration to another."""
    found: list[Ancestor] = []
    life, index, until = best, len(best.lines) - 1, math.inf
    while (life.id, index) not in {(one.id, one.lines.index(line)) for one, line, _, _ in found}:
        line = life.lines[index]
        found.append((life, line, line.began, until))
        until = line.began
        if line.donor is not None:
            if line.donor.trial not in story.lives:
                break
            life = story.lives[line.donor.trial]
            until = line.donor.iteration
            # The donor's checkpoint is of its first line that got so far: later ones begin behind it, or are other lines.
            index = max((i for i, each in enumerate(life.lines) if _has(each, until)), default=0)
        elif index:
            index -= 1
        else:
            break
    return found[::-1]


def _has(line: Line, iteration: float) -> bool:
    return any(result.training_iteration == iteration for result in line.results)


def _members(members: list[Life], height: dict[str, int], objective: Objective) -> list[Any]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    points = []
    for life in members:
        for line in life.lines:
            xs += [line.began, line.results[-1].training_iteration if line.results else line.began, None]
            ys += [height[life.id], height[life.id], None]
            points += [(result, line, life) for result in line.results if math.isfinite(objective.score(result))]
    return [
        go.Scatter(x=xs, y=ys, mode="lines", line={"color": GREY, "width": 1}, hoverinfo="skip", showlegend=False),
        go.Scatter(
            x=[result.training_iteration for result, _, _ in points], y=[height[life.id] for _, _, life in points],
            mode="markers", showlegend=False,
            marker={"color": [objective.value(result) for result, _, _ in points], "coloraxis": "coloraxis", "size": 7},
            text=[_told(life, line, objective.metrics[0], objective.value(r)) for r, line, life in points],
            hovertemplate="%{text}<br>iteration %{x}<extra></extra>",
        ),
    ]  # fmt: skip


def _takeovers(members: list[Life], height: dict[str, int], story: Story) -> list[Any]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    texts: list[str] = []
    for life in members:
        for line in life.lines:
            if line.donor and line.donor.trial in height and line.donor.trial != life.id:
                xs += [line.donor.iteration, line.began, None]
                ys += [height[line.donor.trial], height[life.id], None]
                told = f"trial {life.number} takes over trial {story.lives[line.donor.trial].number}"
                texts += [f"{told} at iteration {line.donor.iteration}<br>{_config(line.config)}"] * 3
    return [
        go.Scatter(
            x=xs, y=ys, text=texts, mode="lines+markers", name="takes over", line={"color": GREY, "width": 1.2, "dash": "dot"},
            marker={"size": 8, "symbol": "arrow", "angleref": "previous", "color": GREY},
            hovertemplate="%{text}<extra></extra>",
        )
    ]  # fmt: skip


def _descent(descent: list[Ancestor], height: dict[str, int]) -> list[Any]:
    xs: list[float] = []
    ys: list[float] = []
    for life, line, began, until in descent:
        end = min(until, line.results[-1].training_iteration if line.results else began)
        xs += [began, end]
        ys += [height[life.id]] * 2
    if not xs:
        return []
    return [
        go.Scatter(x=xs, y=ys, mode="lines", name="descent of the best", line={"color": RED, "width": 3}, opacity=0.8,
                   hoverinfo="skip")
    ]  # fmt: skip


def _schedule(name: str, descent: list[Ancestor]) -> Any:
    xs: list[float] = []
    ys: list[Any] = []
    for _, line, began, until in descent:
        end = min(until, line.results[-1].training_iteration if line.results else began)
        xs += [began, end]
        ys += [line.config.get(name)] * 2
    return go.Scatter(
        x=xs, y=ys, mode="lines", line={"color": RED, "width": 2}, showlegend=False,
        hovertemplate="%{y:.5g} at iteration %{x}<extra></extra>",
    )  # fmt: skip


def _told(life: Life, line: Line, metric: str, value: float | None) -> str:
    return f"<b>trial {escaped(life.id)}</b><br>{escaped(metric)}: {spelled(value)}<br>{_config(line.config)}"


def _config(config: dict[str, Any]) -> str:
    return "<br>".join(
        f"{escaped(key, 30)} = {spelled(value)}" for key, value in [*config.items()][: telling.MOST_KEYS]
    )
