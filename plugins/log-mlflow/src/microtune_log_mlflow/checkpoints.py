"""Which checkpoints become artifacts."""

from __future__ import annotations

import os

from mlflow import MlflowClient

from microtune import Event, Objective

CHOICES = ("none", "best", "last", "all")


class Checkpoints:
    """Those of one trial that were not deleted yet, in their order."""

    def __init__(self, which: str, objective: Objective) -> None:
        self._which = which
        self._objective = objective
        self._scores: dict[str, float] = {}  # by path

    def hear(self, event: Event) -> str | None:
        """The one that is to be uploaded now, if any."""
        body = event.body
        if event.kind == "checkpoint":
            if self._which == "all":
                return str(body["path"])
            self._scores[body["path"]] = -float("inf")  # the result that it came with follows
        elif event.kind == "result" and body.get("checkpoint") in self._scores:
            self._scores[body["checkpoint"]] = self._objective.score(body["metrics"])
        elif event.kind == "deleted":
            self._scores.pop(body["path"], None)
        return None

    def chosen(self) -> str | None:
        """The one that is to be uploaded at the end, of several equal ones the latest."""
        paths = [path for path in reversed(self._scores) if os.path.isdir(path)]
        if self._which == "last" or not paths:
            return paths[0] if paths else None
        return max(paths, key=self._scores.__getitem__)


def upload(client: MlflowClient, run_id: str, path: str) -> None:
    """Under checkpoints/<iteration>-<attempt>; one that has been deleted meanwhile, or lies elsewhere, is left out."""
    if os.path.isdir(path):
        client.log_artifacts(run_id, path, f"checkpoints/{os.path.basename(path)}")
