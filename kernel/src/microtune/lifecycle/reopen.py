"""reopen: a run is gone on with, perhaps with changes; what becomes of the trials that it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from microtune import events as ev
from microtune.attempt import checkpoint_iteration
from microtune.events import Event
from microtune.kernel import Kernel, say
from microtune.trial import FAILED, PAUSED, PENDING, RUNNING, STOPPED


def reopen(k: Kernel, *, new_scheduler: bool, new_space: bool, retry_failed: bool) -> None:
    for trial in k.state.unfinished(RUNNING):
        k.record(ev.INTERRUPTED, trial.id, {"reason": "the run was interrupted"})
    if new_space:
        _end_outsiders(k)
    if new_scheduler:
        for trial in k.state.unfinished(PAUSED):
            k.tell("on_start", trial=k.record(ev.RESUMED, trial.id, {"reason": "the scheduler was changed"}))
    if retry_failed:
        _retry(k)


def _end_outsiders(k: Kernel) -> None:
    """Whoever narrows the space wants no more of what lies outside; what such trials have reported stays."""
    for trial in [*k.state.unfinished(PENDING), *k.state.unfinished(PAUSED)]:
        if not _fits(k, trial.config):
            ended = k.record(ev.ENDED, trial.id, {"state": STOPPED, "reason": "outside the new space"})
            k.tell("on_end", trial=ended)
            k.state.forget(trial.id)


def _retry(k: Kernel) -> None:
    """A new trial for each failed one, with its config, from its last checkpoint. It is none of the searcher's own."""
    for trial_id, body in _failed(k.journal.events(kinds=_KINDS)).items():
        if not _fits(k, body["config"]):
            say.warning("the failed trial %s is not retried: its config lies outside the new space", trial_id)
            continue
        number = k.state.created
        k.tell("on_start", trial=k.record(ev.CREATED, f"{number:05d}", {"number": number, **body, "retries": trial_id}))


def _fits(k: Kernel, config: dict[str, Any]) -> bool:
    return k.facts.space.contains(config) and k.facts.space.feasible(config)


_KINDS = (ev.CREATED, ev.RESUMED, ev.CHECKPOINT, ev.DELETED, ev.ENDED)


def _failed(events: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """The failed trials that have not been retried: what they need to go on."""
    open_: dict[str, dict[str, Any]] = {}
    failed: dict[str, dict[str, Any]] = {}
    for _, _, kind, trial_id, body in events:
        if kind == ev.CREATED and trial_id is not None:
            open_[trial_id] = {key: body[key] for key in _KEPT if key in body}
            failed.pop(body.get("retries", ""), None)
        elif trial_id not in open_:
            continue
        elif kind == ev.RESUMED:
            open_[trial_id].update((key, body[key]) for key in _KEPT if key in body)
        elif kind == ev.CHECKPOINT:
            open_[trial_id].update(checkpoint=body["path"], iteration=checkpoint_iteration(body["path"]))
        elif kind == ev.DELETED:
            if body["path"] == open_[trial_id].get("checkpoint"):
                _fall_back(open_[trial_id], body.get("instead"))
        elif body["state"] == FAILED:
            failed[trial_id] = open_.pop(trial_id)
    return failed


_KEPT = ("config", "resources", "checkpoint", "iteration")


def _fall_back(trial: dict[str, Any], checkpoint: str | None) -> None:
    del trial["checkpoint"], trial["iteration"]
    if checkpoint is not None:
        trial.update(checkpoint=checkpoint, iteration=checkpoint_iteration(checkpoint))
