"""Who ran when, and how much of the time the workers stood idle."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

import plotly.graph_objects as go

from microtune import ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.lives import Life, Spell
from microtune_view_report.story import Story, story_of
from microtune_view_report.theme import clock, drawing, escaped, fate_colours, seconds

MOST = 2500  # bars
SHORTEST = 1 / 700  # of the whole time, about a pixel: bars that follow each other in less are drawn as one


class Stay(NamedTuple):
    """A spell of a trial on a lane."""

    lane: int
    spell: Spell
    life: Life


class Bar(NamedTuple):
    """One or more stays, drawn as one."""

    lane: int
    began: float
    ended: float
    how: str
    stays: list[Stay]


def figure(grid: ResultGrid) -> go.Figure:
    """Which trial ran when, and how much of the time the workers were idle.

    The journal names no workers: a trial is drawn on the lowest lane that was free when it was launched, so there are as many
    lanes as trials ever ran at once. Idle is the share of lanes times elapsed time in which no trial ran.
    """
    story = story_of(grid)
    stays = on_lanes(story)
    if not stays or not story.elapsed:
        raise RunError("no trial has run for any time")
    lanes = 1 + max(stay.lane for stay in stays)
    busy = sum(stay.spell.ended - stay.spell.began for stay in stays)
    idle = max(0.0, 1 - busy / (lanes * story.elapsed))
    size, unit = clock(story.elapsed)
    bars = together(stays, story.elapsed * SHORTEST)
    traces = []
    drawn = bars
    shortest = SHORTEST
    while len(drawn) > MOST:
        shortest *= 2
        drawn = together(stays, story.elapsed * shortest)
    for how, colour in fate_colours(_kind(bar.how) for bar in drawn).items():
        mine = [bar for bar in drawn if _kind(bar.how) == how]
        traces.append(
            go.Bar(
                base=[bar.began / size for bar in mine], x=[(bar.ended - bar.began) / size for bar in mine],
                y=[bar.lane for bar in mine], orientation="h", name=how, width=0.86 if lanes < 60 else 1,
                marker={"color": colour, "line": {"width": 0}}, text=[_told(bar) for bar in mine], textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    merged = len(stays) - len(drawn)
    note = telling.joined(
        f"{lanes:,} lane{'s' if lanes > 1 else ''}, idle {idle:.1%} of {seconds(story.elapsed)}"
        f"{f' in {len(story.sessions)} sessions' if len(story.sessions) > 1 else ''}.",
        f"{merged:,} stays too short to be seen are drawn together with their neighbours." if merged else "",
    )
    figure = drawing(
        traces, note=note, barmode="overlay", height=min(900, max(240, 24 * lanes + 180)), xaxis_title=f"elapsed {unit}",
        xaxis_range=[0, story.elapsed / size * 1.01],
    )  # fmt: skip
    figure.update_yaxes(title_text="lane", range=[lanes - 0.4, -0.6], showgrid=False, dtick=1 if lanes <= 16 else None)
    for session in story.sessions[1:]:
        figure.add_vline(x=session.began / size, line={"color": "#8A8F98", "dash": "dot", "width": 1})
    return figure


def on_lanes(story: Story) -> list[Stay]:
    """Every spell on the lowest lane that is free."""
    spells = [(spell, life) for life in story.lives.values() for spell in _spells(story, life)]
    spells.sort(key=lambda each: (each[0].began, each[1].number))
    free: list[int] = []
    taken: list[tuple[float, int]] = []  # (until when, lane)
    stays = []
    lanes = 0
    for spell, life in spells:
        while taken and taken[0][0] <= spell.began:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, lanes = lanes, lanes + 1
        heapq.heappush(taken, (spell.ended, lane))
        stays.append(Stay(lane, spell, life))
    return stays


def together(stays: Iterable[Stay], shortest: float) -> list[Bar]:
    """Stays of one lane that end alike, where they are shorter than that and no further apart, as one."""
    bars: dict[int, list[Bar]] = {}
    for stay in stays:
        lane = bars.setdefault(stay.lane, [])
        spell = stay.spell
        last = lane[-1] if lane else None
        if (
            last
            and spell.began - last.ended < shortest
            and (spell.ended - spell.began) < shortest > last.ended - last.began
        ):
            lane[-1] = Bar(stay.lane, last.began, spell.ended, _longer(last, spell), [*last.stays, stay])
        else:
            lane.append(Bar(stay.lane, spell.began, spell.ended, spell.how, [stay]))
    return [bar for lane in bars.values() for bar in lane]


def _longer(bar: Bar, spell: Spell) -> str:
    return bar.how if bar.ended - bar.began >= spell.ended - spell.began else spell.how


def _spells(story: Story, life: Life) -> list[Spell]:
    if life.launched is None:
        return life.spells
    return [*life.spells, Spell(life.launched, story.elapsed, "running")]


def _kind(how: str) -> str:
    return "stopped" if how.startswith("stopped") else how


def _told(bar: Bar) -> str:
    if len(bar.stays) > 1:
        return f"{len(bar.stays):,} stays<br>{seconds(bar.ended - bar.began)} together"
    life = bar.stays[0].life
    return f"<b>trial {escaped(life.id)}</b> {escaped(bar.how)}<br>{seconds(bar.ended - bar.began)}"
