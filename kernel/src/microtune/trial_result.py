"""One trial, as the journal tells of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from microtune import events as ev
from microtune.rows import problem
from microtune.trial import PAUSED, PENDING, RUNNING

if TYPE_CHECKING:
    from microtune.results import ResultGrid


class TrialResult:
    """One trial: its config, its last metrics, how it ended.

    `metrics` include `training_iteration` and `time_total_s`; `checkpoint` is the one of the step that they are from, or
    None; `finished`: it had all of its training, and is neither cut short nor still going on; `error` is the original
    traceback of a failed trial; `folder` is the trial's own.
    """

    def __init__(self, grid: ResultGrid, trial_id: str, number: int, config: dict[str, Any]) -> None:
        self.id = trial_id
        self.number = number
        self.config = config
        self.metrics: dict[str, Any] = {}
        self.state = PENDING
        self.reason: str | None = None
        self.finished = False
        self.error: str | None = None
        self.folder = os.path.join(grid.path, "trials", trial_id)
        self.checkpoints: dict[int, str] = {}  # by iteration; those that were not deleted
        self._grid = grid
        self._reported = 0  # results, when the whole journal was read

    @property
    def checkpoint(self) -> str | None:
        return self.checkpoints.get(self.metrics.get("training_iteration", -1))

    @property
    def history(self) -> list[dict[str, Any]]:
        """The metrics of every result, in order."""
        rows = self._grid.histories({self.id}).get(self.id, [])
        if len(rows) < self._reported:
            raise problem(self._grid.path, f"its index has lost results of trial {self.id}")
        return rows

    def best_checkpoint(self, metric: str | None = None, mode: str | None = None) -> str | None:
        """The checkpoint of the best step that still has one; None where the trial has none."""
        objective = self._grid.chosen(metric, mode)
        # Of an iteration that was reported again on a new line, the later result goes with the checkpoint.
        steps = {row["training_iteration"]: row for row in self.history if row["training_iteration"] in self.checkpoints}
        if not steps:
            return None
        best = max(steps.values(), key=objective.score)
        return self.checkpoints[best["training_iteration"]]

    def at(self, metrics: dict[str, Any]) -> TrialResult:
        """The same trial with the metrics of another step."""
        other = TrialResult(self._grid, self.id, self.number, self.config)
        other.__dict__.update(self.__dict__, metrics=metrics)
        return other

    def __repr__(self) -> str:
        return f"TrialResult(id={self.id!r}, state={self.state!r}, metrics={self.metrics}, config={self.config})"


_STATE = {ev.RESUMED: PENDING, ev.LAUNCHED: RUNNING, ev.INTERRUPTED: PENDING}


def take(trial: TrialResult, kind: str, body: dict[str, Any]) -> None:
    if kind == ev.RESULT:
        if not body.get("repeat"):
            trial.metrics = metrics_of(body)
            trial._reported += 1
    elif kind == ev.CHECKPOINT:
        trial.checkpoints[body["iteration"]] = body["path"]
    elif kind == ev.DELETED:
        trial.checkpoints = {i: path for i, path in trial.checkpoints.items() if path != body["path"]}
    elif kind == ev.ENDED:
        trial.state, trial.reason, trial.finished = body["state"], body["reason"], ev.finished(body)
        failure = body.get("failure")
        trial.error = (failure["traceback"] or failure["message"]) if failure else None
    elif kind == ev.DECIDED:
        if body["decision"] == "pause":
            trial.state, trial.reason = PAUSED, body["reason"]
    elif kind in _STATE:
        trial.state, trial.reason = _STATE[kind], body.get("reason")
        trial.config = body.get("config", trial.config)
        if kind == ev.RESUMED and "iteration" in body:  # a new line
            trial.checkpoints = {i: path for i, path in trial.checkpoints.items() if i <= body["iteration"]}


def metrics_of(body: dict[str, Any]) -> dict[str, Any]:
    return {**body["metrics"], "training_iteration": body["iteration"], "time_total_s": body["time_total_s"]}


def flattened(value: Any, name: str) -> dict[str, Any]:
    """Nested dicts as one, names joined with slashes; lists stay."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            flat.update(flattened(item, f"{name}{key}/"))
        else:
            flat[f"{name}{key}"] = item
    return flat
