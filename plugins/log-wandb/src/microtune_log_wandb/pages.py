"""The runs of W&B's that are open, one for each trial that has not ended."""

from __future__ import annotations

import glob
import os
import shutil
from typing import Any

import wandb

from microtune import Event, Facts
from microtune_log_wandb import entries

# Nothing on the terminal, and nothing about this machine: the driver's load says nothing about a trial.
_SETTINGS: dict[str, Any] = {
    "silent": True,
    "quiet": True,
    "console": "off",
    "show_warnings": False,
    "disable_code": True,
    "disable_git": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


class Page:
    """A trial, up to where it goes on with another config or from an earlier iteration."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.run: Any = None  # a wandb.Run; None: it was finished in an earlier session


class Pages:
    """Hears the whole journal, in a resumed session from its beginning, and passes over what is finished.

    A run of W&B's cannot be continued offline, and what it has of a process that was killed is not known before it is looked
    at. So a line that is not finished is begun again, from the journal, under its id: offline in the place of its folder,
    online in its place on the server, which says up to which step it has it.
    """

    def __init__(self, facts: Facts, offline: bool, folder: str, options: dict[str, Any]) -> None:
        """`folder`: what W&B makes its folder wandb in. `options`: of wandb.init."""
        self._facts = facts
        self._offline = offline
        self._folder = os.path.join(folder, "wandb")
        self._options = options
        self._open: dict[str, Page] = {}
        self._ledger = os.path.join(facts.path, "wandb", "finished.txt")
        self._finished: set[str] = set()
        os.makedirs(self._folder, exist_ok=True)
        os.makedirs(os.path.dirname(self._ledger), exist_ok=True)
        if facts.resumed and os.path.exists(self._ledger):
            with open(self._ledger, encoding="utf-8") as file:  # a torn last line is no id
                self._finished = set(file.read().split("\n"))

    def write(self, events: list[Event]) -> None:
        for event in events:
            if event.trial is not None:
                self._hear(event.trial, event)
            elif event.kind == "closed":
                self.close()

    def close(self) -> None:
        """Those that have not ended will go on when the run does."""
        for trial in list(self._open):
            run = self._open.pop(trial).run
            if run is not None:
                run.mark_preempting()
                run.finish(exit_code=1)

    def _hear(self, trial: str, event: Event) -> None:
        page = self._open.get(trial)
        kind, body = event.kind, event.body
        if page is None:
            if kind != "created":  # a checkpoint of one that has ended is deleted
                return
            page = self._begin(trial, 1, body)
        elif kind == "resumed" and ("config" in body or "iteration" in body):  # steps of W&B's go up only
            if page.run is not None:
                page.run.summary.update(_state("STOPPED", {"reason": f"goes on in {self._id(trial, page.line + 1)}"}))
                self._finish(trial, page, 0)
            page = self._begin(trial, page.line + 1, body)
        if page.run is not None:
            self._tell(trial, page, event)
        if kind == "ended":
            del self._open[trial]

    def _tell(self, trial: str, page: Page, event: Event) -> None:
        _, at, kind, _, body = event
        if kind == "result":
            if not body.get("repeat") and body["iteration"] >= page.run.starting_step:
                page.run.log(entries.row(body, at), step=body["iteration"], commit=True)
        elif kind == "launched":
            page.run.summary.update({"microtune/state": "RUNNING", "microtune/attempt": body["attempt"]})
        elif kind == "interrupted":
            page.run.summary.update(_state("PENDING", body))
        elif kind == "decided" and body["decision"] == "pause":
            page.run.summary.update(_state("PAUSED", body))
        elif kind == "ended":
            page.run.summary.update(_state(body["state"], body))
            self._finish(trial, page, 1 if body["state"] == "FAILED" else 0)

    def _begin(self, trial: str, line: int, body: dict[str, Any]) -> Page:
        page = self._open[trial] = Page(line)
        name = self._id(trial, line)
        if name in self._finished:
            return page
        if self._facts.resumed and self._offline:
            for stale in glob.glob(os.path.join(glob.escape(self._folder), f"offline-run-*-{name}")):
                shutil.rmtree(stale)
        title = f"{self._facts.name}-{trial}" if line == 1 else f"{self._facts.name}-{trial}-line-{line}"
        page.run = wandb.init(
            id=name, name=title, config=entries.config(body.get("config", {})), resume="allow", reinit="create_new",
            settings=wandb.Settings(**_SETTINGS), **self._options,
        )  # fmt: skip
        return page

    def _finish(self, trial: str, page: Page, exit_code: int) -> None:
        page.run.finish(exit_code=exit_code)
        with open(self._ledger, "a", encoding="utf-8") as file:
            file.write(f"{self._id(trial, page.line)}\n")

    def _id(self, trial: str, line: int) -> str:
        """The same in every session; W&B wants it unique in a project, for ever."""
        return f"{self._facts.id}-{trial}" if line == 1 else f"{self._facts.id}-{trial}-line-{line}"


def _state(state: str, body: dict[str, Any]) -> dict[str, Any]:
    failure = body.get("failure")
    found = {"microtune/state": state, "microtune/reason": body["reason"]}
    return {**found, "microtune/error": entries.error(failure)} if failure else found
