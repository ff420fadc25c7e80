"""What a run came to: trials by fate, time on workers, and the time that early stopping saved."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from microtune_view_report.lives import Life
from microtune_view_report.story import Story
from microtune_view_report.theme import fate_colours


class Totals(NamedTuple):
    """Seconds, but for the counts. `worked` is the sum over all workers. `saved`: see `saving`."""

    fates: dict[str, int]
    results: int
    elapsed: float
    worked: float
    saved: float
    full: int  # the iterations of the longest trial


def totals(story: Story) -> Totals:
    lives = list(story.lives.values())
    order = fate_colours(life.fate for life in lives)
    fates = {fate: sum(life.fate == fate for life in lives) for fate in order}
    worked = sum(spell.ended - spell.began for life in lives for spell in life.spells)
    worked += sum(story.elapsed - life.launched for life in lives if life.launched is not None)
    full = max((life.last.training_iteration for life in lives if life.last), default=0)
    results = sum(len(line.results) for life in lives for line in life.lines)
    return Totals(fates, results, story.elapsed, worked, saving(story, full), full)


def saving(story: Story, full: int) -> float:
    """The seconds of work that the trials that were stopped would have taken up to iteration `full`.

    Each at its own pace from its first to its last result, since before the first one much is loaded once; at the median pace
    where it has one result only.
    """
    paces = {life.id: pace for life in story.lives.values() if (pace := _pace(life)) is not None}
    if not paces:
        return 0.0
    usual = statistics.median(paces.values())
    return sum(
        paces.get(life.id, usual) * max(0, full - life.last.training_iteration)
        for life in story.lives.values() if life.state == "STOPPED" and life.last
    )  # fmt: skip


def _pace(life: Life) -> float | None:
    """Seconds an iteration."""
    results = life.lines[-1].results
    if len(results) < 2 or results[-1].training_iteration <= results[0].training_iteration:
        return None
    first, last = results[0], results[-1]
    return (last.time_total_s - first.time_total_s) / (last.training_iteration - first.training_iteration)
