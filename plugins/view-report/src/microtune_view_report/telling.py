"""Texts that several figures share: what a point says when the pointer is on it, and what is not shown."""

from __future__ import annotations

from typing import Any

from microtune import Objective, OptionError, Result
from microtune_view_report.lives import Life
from microtune_view_report.story import Story
from microtune_view_report.theme import escaped, spelled

MOST_KEYS = 10  # of a config, in a text that pops up


def about(life: Life, result: Result | None, objective: Objective) -> str:
    """A trial in a few lines: its fate, its metrics, its config."""
    lines = [f"<b>trial {escaped(life.id)}</b> {escaped(life.fate)}"]
    if result is not None:
        at = f" at iteration {result.training_iteration}"
        lines += [f"{escaped(name)}: {spelled(result.get(name))}{at}" for name in objective.metrics]
    flat = list(_flat(life.config, "").items())
    lines += [f"{escaped(key, 30)} = {spelled(value)}" for key, value in flat[:MOST_KEYS]]
    if len(flat) > MOST_KEYS:
        lines.append(f"… and {len(flat) - MOST_KEYS} more")
    return "<br>".join(lines)


def followed(story: Story, metric: str | None, mode: str | None = None) -> Objective:
    """The objective of a figure: the run's own, all of it, or one metric; OptionError where its mode is not known."""
    own = story.objective
    if metric is None:
        if mode is not None:
            raise OptionError("mode= goes with metric=")
        return own
    modes = dict(zip(own.metrics, own.modes, strict=True))
    if mode is None and metric not in modes:
        raise OptionError(f"metric={metric!r} is not the run's own: say mode='min' or mode='max' too")
    return Objective(metric, mode or modes[metric])


def single(objective: Objective, index: int = 0) -> Objective:
    """One of several."""
    return Objective(objective.metrics[index], objective.modes[index])


def thinned(shown: int, there: int, what: str, which: str) -> str:
    """`300 of 10,000 trials are drawn: the best 150 and an even sample`; nothing where all are."""
    return "" if shown >= there else f"{shown:,} of {there:,} {what} are drawn: {which}."


def beyond(count: int) -> str:
    return f"{count:,} worse values lie beyond the axis; “autoscale” shows them." if count else ""


def joined(*notes: str) -> str:
    return " ".join(note for note in notes if note)


def _flat(value: dict[str, Any], name: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            flat.update(_flat(item, f"{name}{key}/"))
        else:
            flat[f"{name}{key}"] = item
    return flat
