"""Rungs and brackets: how far trials got, and where the scheduler cut."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microtune import ResultGrid, RunError
from microtune_view_report.lives import Life
from microtune_view_report.story import Story, story_of
from microtune_view_report.theme import BLUE, GREY, ORANGE, PURPLE, escaped, template

_MAX_T = re.compile(r"\breached max_t=(\d+(?:\.\d+)?)")
COLOURS = {"went on": BLUE, "cut": ORANGE, "waits there": PURPLE, "ended or trains there": GREY}


class Climber(NamedTuple):
    """A trial, how much training it got, and the highest rung at which it was judged."""

    life: Life
    got: float
    judged: float


class Ladder(NamedTuple):
    """Brackets with the same lowest rung."""

    title: str
    levels: list[float]
    climbers: list[Climber]


def figure(grid: ResultGrid) -> go.Figure:
    """How many trials came to each rung, and what the scheduler did with them there.

    Read from the reasons of its decisions: "... rung 9", "... rung 9 of bracket 2", "... reached max_t=81". Any scheduler that
    speaks so is shown. A rung at which nobody was paused or stopped is not in the journal.
    """
    story = story_of(grid)
    found = ladders(story)
    if not found:
        raise RunError("no decision speaks of a rung: the scheduler has none, or nobody has come to one")
    counted = [[outcomes(ladder, level) for level in ladder.levels] for ladder in found]
    seen = {outcome for rungs in counted for rung in rungs for outcome, count in rung.items() if count}
    picture = make_subplots(
        rows=len(found), cols=1, subplot_titles=[ladder.title for ladder in found] if len(found) > 1 else None,
        vertical_spacing=0.36 / len(found),
    )  # fmt: skip
    for row, (ladder, rungs) in enumerate(zip(found, counted, strict=True), start=1):
        totals = [sum(rung.values()) for rung in rungs]
        names = [f"rung {level:g}<br>{total:,} came" for level, total in zip(ladder.levels, totals, strict=True)]
        legible = max(totals) / 12  # a bar that is lower has no room for its number
        for outcome, colour in COLOURS.items():
            if outcome not in seen:
                continue
            counts = [rung[outcome] for rung in rungs]
            picture.add_trace(
                go.Bar(
                    x=names, y=counts, name=outcome, legendgroup=outcome,
                    showlegend=row == 1, marker_color=colour,
                    text=[f"{count:,}" if count > legible else "" for count in counts],
                    textposition="inside", insidetextanchor="middle", textangle=0, insidetextfont={"color": "white"},
                    customdata=[f"{count:,} of {total:,}: {count / max(1, total):.0%}"
                                for count, total in zip(counts, totals, strict=True)],
                    hovertemplate=f"{outcome} at %{{x}}<br>%{{customdata}}<extra></extra>",
                ), row=row, col=1,
            )  # fmt: skip
        picture.update_yaxes(title_text="trials", row=row, col=1)
        picture.update_xaxes(type="category", row=row, col=1)
    picture.update_xaxes(title_text=escaped(time_attr(story)), row=len(found), col=1)
    picture.update_layout(template=template(), barmode="stack", height=170 + 230 * len(found))
    return picture


def ladders(story: Story) -> list[Ladder]:
    """The brackets of a run, those alike together; one where the scheduler numbers none; none without rungs."""
    brackets: dict[int, list[Climber]] = defaultdict(list)
    unit = time_attr(story)
    for life in story.lives.values():
        got = max((value for r in life.results if isinstance(value := r.get(unit), (int, float))), default=0)
        climber = Climber(life, got, max((place.level for place in life.places), default=0))
        # Where nobody is paused, a trial that was never cut has no reason that says so, nor names its bracket.
        brackets[next(iter(life.places)).bracket if life.places else -1].append(climber)
    numbers = [number for number in brackets if number >= 0]
    if not numbers:
        climbers = brackets[-1]
        return [Ladder("", levels, climbers)] if (levels := _levels(climbers)) else []
    alike: dict[float, list[int]] = defaultdict(list)
    for number in numbers:
        alike[_levels(brackets[number])[0]].append(number)
    found = []
    for lowest, those in sorted(alike.items()):
        climbers = [climber for number in those for climber in brackets[number]]
        which = f"bracket {those[0]}" if len(those) == 1 else f"{len(those)} brackets"
        found.append(Ladder(f"{which} from rung {lowest:g}", _levels(climbers), climbers))
    return found


def outcomes(ladder: Ladder, level: float) -> dict[str, int]:
    """How many of the trials that came to this rung went on, were cut, ..."""
    counts = dict.fromkeys(COLOURS, 0)
    for life, got, judged in ladder.climbers:
        if max(got, judged) < level:
            continue
        if life.stopped_at and life.stopped_at.level == level:
            counts["cut"] += 1
        elif life.state == "PAUSED" and judged == level:
            counts["waits there"] += 1
        elif max(got, judged) > level or life.fate == "completed":
            counts["went on"] += 1
        else:
            counts["ended or trains there"] += 1
    return counts


def time_attr(story: Story) -> str:
    """What training is measured in."""
    options: dict[str, Any] = (story.scheduler or {}).get("options") or {}
    unit = options.get("time_attr", "training_iteration")
    return unit if isinstance(unit, str) else "training_iteration"


def _levels(climbers: list[Climber]) -> list[float]:
    levels = {place.level for life, _, _ in climbers for place in life.places}
    if levels:
        levels |= {float(found[1]) for life, _, _ in climbers if (found := _MAX_T.search(life.reason or ""))}
    return sorted(levels)
