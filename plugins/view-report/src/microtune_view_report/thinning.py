"""Fewer points where nobody could tell them apart, and axes that one wild value does not spoil."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from microtune import Objective

T = TypeVar("T")
FAR = 4.0  # spreads of the middle values beyond which a value is off the axis


def evenly(items: Sequence[T], count: int) -> list[T]:
    """`count` of them, evenly spaced, the first and the last among them; all where there are no more."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[-1]]
    step = (len(items) - 1) / (count - 1)
    return [items[round(i * step)] for i in range(count)]


def best_and_some(items: Sequence[tuple[float, T]], count: int) -> list[T]:
    """Of (score, item): the better half of `count` by score, and as many of the others, evenly spaced; in their order."""
    if len(items) <= count:
        return [item for _, item in items]
    ranked = sorted(range(len(items)), key=lambda i: -items[i][0])
    best = ranked[: count // 2]
    chosen = {*best, *evenly(sorted(ranked[count // 2 :]), count - count // 2)}
    return [items[i][1] for i in sorted(chosen)]


def curve(points: Sequence[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    """A curve of about `count` points with the same peaks: of each stretch its lowest and its highest."""
    if len(points) <= count:
        return list(points)
    kept = {0, len(points) - 1}
    stretches = max(1, count // 2)
    for i in range(stretches):
        stretch = range(i * len(points) // stretches, (i + 1) * len(points) // stretches)
        kept |= {min(stretch, key=lambda j: points[j][1]), max(stretch, key=lambda j: points[j][1])}
    return [points[j] for j in sorted(kept)]


def sight(values: Sequence[float], objective: Objective) -> tuple[list[float] | None, int]:
    """The range of an axis that shows the good values apart, and how many values lie beyond it; None: it shows all.

    The bad end is cut where it lies further from the middle than FAR times the middle does from the good end. The range is
    turned as plotly wants it, lower end first; an end that is None would be plotly's own to find.
    """
    finite = sorted((v for v in values if math.isfinite(v)), reverse=objective.modes[0] == "max")  # the best first
    if len(finite) < 10:
        return None, 0
    best, worst, high = finite[0], finite[-1], finite[(len(finite) * 3) // 4]
    spread = high - best
    cut = high + spread * FAR / 2
    if not spread or abs(worst - best) <= abs(cut - best) * 1.5:
        return None, 0
    beyond = sum(abs(v - best) > abs(cut - best) for v in finite)
    return sorted([best - (cut - best) * 0.05, cut]), beyond
