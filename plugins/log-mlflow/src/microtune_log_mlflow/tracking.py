"""The run, its trials, and which of MLflow's runs they are."""

from __future__ import annotations

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from microtune import Event, Facts, Reader
from microtune_log_mlflow import entries
from microtune_log_mlflow.checkpoints import Checkpoints, upload
from microtune_log_mlflow.page import Page

ACKNOWLEDGED_EVERY = 100  # events: it is a request of its own, and what follows it is only looked up again by a resume

_FATES = {"COMPLETED": "FINISHED", "STOPPED": "KILLED", "FAILED": "FAILED"}


class Tracking:
    """Writes events into MLflow, each once, however often it is told.

    The run is a parent, a trial a nested run. A trial that goes on with another config (population based training) goes on in
    a nested run of its own, its next line: MLflow's params are never changed, and so its table never shows a metric beside a
    config that did not earn it. Nothing is kept here that the tags in MLflow do not say: microtune.run, .trial and .line find
    a run again, .seq says which events it has.
    """

    def __init__(self, client: MlflowClient, run: Facts, tags: dict[str, str], artifacts: str) -> None:
        self._client = client
        self._run = run
        self._tags = {
            **{entries.key(k): entries.cut(str(v), entries.TAG) for k, v in tags.items()},
            "microtune.run": run.id,
        }
        self._artifacts = artifacts
        self._pages: dict[str, Page] = {}
        self._checkpoints: dict[str, Checkpoints] = {}
        self._experiment = ""
        self._parent: Page
        self._seq = 0

    def find(self) -> bool:
        """Go on with what an earlier session has begun, in whatever experiment it did; False where there is nothing."""
        everywhere = [each.experiment_id for each in self._client.search_experiments()]
        found = self._search(everywhere, "microtune.kind", "run") if self._run.resumed else []
        if found:
            self._experiment = found[0].info.experiment_id
            self._parent = Page(self._client, found[0])
            self._seq = self.seq
        return bool(found)

    def begin(self, experiment: str) -> None:
        self._experiment = experiment
        tags = {"microtune.kind": "run", "microtune.path": self._run.path}
        self._parent = self._create(entries.cut(self._run.name, entries.TAG), self._run.now, tags)

    @property
    def seq(self) -> int:
        """Everything up to here is in MLflow."""
        return self._parent.seq

    def write(self, events: list[Event]) -> None:
        by_trial: dict[str | None, list[Event]] = {}
        for event in events:
            if event.seq > self._seq:
                by_trial.setdefault(event.trial, []).append(event)
        of_the_run = by_trial.pop(None, [])
        for trial, told in by_trial.items():
            if trial in self._pages or any(event.kind != "deleted" for event in told):  # else one that has ended
                self._write_trial(str(trial), told)
        for event in of_the_run:
            self._hear_run(event)
        self._seq = max(self._seq, events[-1].seq)
        if of_the_run or self._seq - self._parent.seq >= ACKNOWLEDGED_EVERY:
            self._parent.write(self._seq)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _hear_run(self, event: Event) -> None:
        body = event.body
        if event.kind in ("opened", "changed"):
            settings = body["settings"]
            told = {name: settings[name] for name in ("metric", "mode", "num_samples", "seed") if name in settings}
            plugins = {p["role"]: p.get("name") or p.get("class") for p in settings.get("plugins", ())}
            told.update((role, plugins[role]) for role in ("searcher", "scheduler", "executor") if role in plugins)
            self._parent.tag(
                entries.tags(reason=None, error=None, **{name: str(value) for name, value in told.items()})
            )
            self._parent.status = "RUNNING"
        elif event.kind == "closed":
            self._parent.tag(entries.tags(reason=body["reason"], error=body.get("error")))
            self._parent.status = "FINISHED" if body["finished"] else "FAILED" if body.get("error") else "KILLED"
            self._parent.ended_at = event.at

    # --- a trial -----------------------------------------------------------------------------------------------------

    def _write_trial(self, trial: str, events: list[Event]) -> None:
        page = self._pages.get(trial) or (self._latest(trial) if self._run.resumed else None)
        if self._artifacts != "none" and trial not in self._checkpoints:
            self._checkpoints[trial] = self._known(trial, page.seq if page is not None else 0)
        for event in events:
            if page is None or event.seq > page.seq:
                page = self._hear(trial, page, event)
                self._hear_checkpoints(trial, page, event)
        assert page is not None
        if events[-1].seq > page.seq:
            page.write(events[-1].seq)
        self._pages[trial] = page
        if any(event.kind == "ended" for event in events):
            del self._pages[trial]
            self._checkpoints.pop(trial, None)

    def _hear(self, trial: str, page: Page | None, event: Event) -> Page:
        seq, at, kind, _, body = event
        if page is None or (kind == "resumed" and "config" in body and page.born != seq):
            if page is not None:
                self._leave(trial, page, event)
            line = 1 if page is None else page.line + 1
            page = self._begin(trial, line, event)
        if kind in ("created", "resumed"):
            page.params = entries.params(body["config"]) if "config" in body else []
        elif kind == "launched":
            page.status = "RUNNING"
            page.tag(entries.tags(state="RUNNING", reason=None))
        elif kind == "result":
            if not body.get("repeat"):  # at an iteration whose values are there already
                page.metrics += entries.metrics(body, at)
        elif kind == "interrupted":
            _wait(page, "PENDING", body)
        elif kind == "decided":
            if body["decision"] == "pause":
                _wait(page, "PAUSED", body)
        elif kind == "ended":
            page.status, page.ended_at = "FINISHED" if body.get("finished") else _FATES[body["state"]], at
            page.tag(_told(body["state"], body))
        return page

    def _begin(self, trial: str, line: int, event: Event) -> Page:
        name = trial if line == 1 else f"{trial}/line-{line}"
        return self._create(
            name,
            event.at,
            {
                "mlflow.parentRunId": self._parent.id,
                "microtune.kind": "trial",
                "microtune.trial": trial,
                "microtune.line": str(line),
                "microtune.born": str(event.seq),
                "microtune.seq": str(event.seq - 1),
                "microtune.state": "PENDING",
            },
        )

    def _leave(self, trial: str, page: Page, event: Event) -> None:
        """The trial goes on in another line."""
        self._upload_chosen(trial, page)
        page.status, page.ended_at = "KILLED", event.at
        page.tag(entries.tags(state="STOPPED", reason=f"goes on with another config in {trial}/line-{page.line + 1}"))
        page.write(event.seq - 1)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def _hear_checkpoints(self, trial: str, page: Page, event: Event) -> None:
        checkpoints = self._checkpoints.get(trial)
        if checkpoints is not None:
            now = checkpoints.hear(event)
            if now is not None:
                upload(self._client, page.id, now)
            if event.kind == "ended":
                self._upload_chosen(trial, page)

    def _upload_chosen(self, trial: str, page: Page) -> None:
        checkpoints = self._checkpoints.get(trial)
        chosen = checkpoints.chosen() if checkpoints is not None else None
        if chosen is not None:
            upload(self._client, page.id, chosen)
        if checkpoints is not None:
            self._checkpoints[trial] = Checkpoints(self._artifacts, self._run.objective)

    def _known(self, trial: str, seq: int) -> Checkpoints:
        """Those that earlier sessions have heard of."""
        checkpoints = Checkpoints(self._artifacts, self._run.objective)
        if seq:
            for event in Reader(self._run.path).events(trial=trial):
                if event.kind == "resumed" and "config" in event.body:
                    checkpoints = Checkpoints(self._artifacts, self._run.objective)
                if event.seq <= seq:
                    checkpoints.hear(event)
        return checkpoints

    # --- MLflow's runs -----------------------------------------------------------------------------------------------

    def _latest(self, trial: str) -> Page | None:
        found = self._search([self._experiment], "microtune.trial", trial)
        return max((Page(self._client, run) for run in found), key=lambda page: page.line, default=None)

    def _search(self, experiments: list[str], tag: str, value: str) -> list[Run]:
        wanted = f"tags.`microtune.run` = '{self._run.id}' AND tags.`{tag}` = '{value}'"
        return list(self._client.search_runs(experiments, wanted))

    def _create(self, name: str, at: float, tags: dict[str, str]) -> Page:
        start = int(at * 1000) or None
        return Page(self._client, self._client.create_run(self._experiment, start, {**self._tags, **tags}, name))


def _wait(page: Page, state: str, body: dict[str, Any]) -> None:
    page.status = "SCHEDULED"
    page.tag(_told(state, body))


def _told(state: str, body: dict[str, Any]) -> list[Any]:
    failure = body.get("failure")
    found = entries.tags(state=state, reason=body["reason"])
    return [*found, *entries.tags(error=entries.error(failure))] if failure else found
