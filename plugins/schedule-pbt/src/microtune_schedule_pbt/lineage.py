"""Where the weights of a trial come from: which configs trained them, read from the journal."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from microtune import OptionError, Reader, ResultGrid

Schedule = list[tuple[int, dict[str, Any]]]


class Stretch(NamedTuple):
    """From this iteration on a config trained what `before` had trained."""

    iteration: int
    config: dict[str, Any]
    before: Stretch | None


def schedule_of(results: ResultGrid | str | os.PathLike[str], trial_id: str | None = None) -> Schedule:
    """The schedule of hyperparameters behind a trial's last state: [(iterations trained before, config), ...].

    results: a run, or its folder; its journal must be on disk. trial_id: the best trial's, by its last result, if None.
    `json.dumps` of it is what `pbt-replay` reads. OptionError where there is no such trial.
    """
    grid = results if isinstance(results, ResultGrid) else ResultGrid(results)
    if trial_id is None:
        trial_id = grid.get_best_result().id
    now: dict[str | None, Stretch] = {}  # by trial
    saved: dict[str, Stretch] = {}  # by checkpoint
    latest: dict[str | None, str] = {}
    for event in Reader(grid.path).events(kinds=("created", "resumed", "checkpoint")):
        body, trial = event.body, event.trial
        if event.kind == "created":
            before = saved.get(body.get("checkpoint", ""))
            now[trial] = Stretch(body.get("iteration", 0), body["config"], before)
        elif event.kind == "checkpoint":
            saved[body["path"]] = now[trial]
            latest[trial] = body["path"]
        elif "iteration" in body:  # a new line
            before = saved.get(body.get("checkpoint", latest.get(trial, "")))
            now[trial] = Stretch(body["iteration"], body.get("config", now[trial].config), before)
    if trial_id not in now:
        raise OptionError(f"the run in {grid.path!r} has no trial {trial_id!r}; it has {sorted(map(str, now))}")
    return _written_out(now[trial_id])


def _written_out(last: Stretch) -> Schedule:
    schedule: Schedule = []
    stretch: Stretch | None = last
    end: float = float("inf")
    while stretch is not None:
        if stretch.iteration < end:  # else it was given up before it had trained at all
            if schedule and schedule[-1][1] == stretch.config:
                schedule.pop()  # the same config went on
            schedule.append((stretch.iteration, stretch.config))
            end = stretch.iteration
        stretch = stretch.before
    return schedule[::-1]
