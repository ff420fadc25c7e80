"""Colours and layout that all figures share: safe for the colour-blind, on paper, and on a dark screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito, "Color Universal Design", 2008; those that are dark enough on white and light enough on black.
BLUE, GREEN, ORANGE, RED, PURPLE, SKY, GREY = (
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8A8F98",
)
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
# From bad to good, or from early to late: Cividis without its ends, of which one is lost on white and one on black.
SCALE = [[0.0, "#d2a641"], [0.5, "#8c8f94"], [1.0, "#187bc4"]]
FAINT = "rgba(138,143,152,0.28)"  # grid lines

_FATES = {
    "completed": BLUE, "running": GREEN, "paused": PURPLE, "failed": RED, "waiting": GREY, "stopped": ORANGE,
    "interrupted": GREY,
}  # fmt: skip
_FIRST_RUNG, _LAST_RUNG = (240, 190, 90), (150, 90, 0)
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def fate_colours(fates: Iterable[str]) -> dict[str, str]:
    """A colour for each, in the order of a legend; those of the rungs go from light to dark."""
    known = [*dict.fromkeys(fates)]
    order = [*_FATES]
    rungs = sorted((fate for fate in known if fate not in _FATES), key=lambda fate: float(fate.rpartition(" ")[2]))
    colours = {fate: _between(i / max(1, len(rungs) - 1)) for i, fate in enumerate(rungs)}
    plain = sorted((fate for fate in known if fate in _FATES), key=order.index)
    return {**{fate: _FATES[fate] for fate in plain if fate == "completed"}, **dict(reversed(colours.items())),
            **{fate: _FATES[fate] for fate in plain if fate != "completed"}}  # fmt: skip


def escaped(value: Any, limit: int = 60) -> str:
    """A text for a figure, where plotly would take `<b>` for an order; cut where it is long."""
    text = str(value)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    text = "".join(c if c.isprintable() else " " for c in text)
    # plotly knows &lt; and the like, and looks for MathJax at a dollar sign.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


def spelled(value: Any) -> str:
    """A value of a config or a metric, numbers to 5 digits, as text for a figure."""
    if isinstance(value, float):
        return f"{value:.5g}"
    return escaped(value)


def seconds(amount: float) -> str:
    """`3 h 20 min`, `41 s`, `0.25 s`."""
    if amount < 120:
        return f"{amount:.3g} s"
    minutes, hours = amount / 60, amount / 3600
    if minutes < 120:
        return f"{minutes:.0f} min"
    if hours < 48:
        return f"{int(hours)} h {int(minutes % 60)} min"
    return f"{hours / 24:.1f} days"


def clock(longest: float) -> tuple[float, str]:
    """By what to divide seconds for an axis that is so long, and its unit."""
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if longest >= 3 * size:
            return size, unit
    return 1.0, "seconds"


def template(ink: str = "#24292f", ground: str = "#ffffff") -> go.layout.Template:
    """`ink` is the colour of text, `ground` that behind texts that pop up."""
    axis = {
        "gridcolor": FAINT,
        "zeroline": False,
        "linecolor": GREY,
        "ticks": "outside",
        "tickcolor": GREY,
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 13, "color": ink},
            "title": {"font": {"size": 15}, "x": 0, "xanchor": "left", "xref": "paper"},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "colorway": SERIES,
            "xaxis": axis, "yaxis": axis, "hovermode": "closest",
            "hoverlabel": {"bgcolor": ground, "font": {"color": ink, "family": _FONT}, "align": "left"},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": FAINT, "activecolor": GREY},
            "margin": {"l": 64, "r": 24, "t": 72, "b": 56}, "bargap": 0.25,
        }
    )  # fmt: skip


def drawing(traces: Iterable[Any], *, note: str = "", height: int = 440, **layout: Any) -> go.Figure:
    """A figure of these traces. `note` says below it what is left out."""
    figure = go.Figure(list(traces))
    figure.update_layout(template=template(), height=height, **layout)
    return noted(figure, note)


def noted(figure: go.Figure, note: str) -> go.Figure:
    if note:
        figure.add_annotation(
            text=note, xref="paper", yref="paper", x=0, y=0, yshift=-66, xanchor="left", yanchor="top", showarrow=False,
            font={"size": 12, "color": GREY},
        )  # fmt: skip
        figure.update_layout(margin_b=100)
    return figure


def _between(share: float) -> str:
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(_FIRST_RUNG, _LAST_RUNG, strict=True))
