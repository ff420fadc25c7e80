"""A run that was made elsewhere, written down as if it had been made here: for reports, exports and warm_start."""

from __future__ import annotations

import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, NamedTuple

from microtune import __version__
from microtune import events as ev
from microtune.events import Event
from microtune.faults import OptionError, RunError, SpaceError
from microtune.journal import Journal
from microtune.metrics import plain_metrics
from microtune.objective import Objective
from microtune.plain import plain
from microtune.replay import State
from microtune.results import ResultGrid
from microtune.rows import is_id
from microtune.space import Space
from microtune.trial import COMPLETED, ENDED, FAILED, PENDING, STOPPED, Result

_BATCH = 10_000  # events to a transaction
_STATES = (*sorted(ENDED), PENDING)

Fact = tuple[float, str, "str | None", dict[str, Any]]  # at, kind, trial, body


class PastTrial(NamedTuple):
    """A trial as it is known from elsewhere. Times are seconds since the epoch; None: not known."""

    config: Mapping[str, Any]
    state: str = COMPLETED  # or STOPPED, FAILED; PENDING: it was not over
    results: Sequence[Result] = ()  # the iteration of each above that of the one before
    reason: str | None = None  # why it is in this state
    error: str | None = None  # of a failed trial: its traceback, or what there is of it
    began: float | None = None
    ended: float | None = None
    id: str | None = None  # letters, digits, _ and -; None: its number
    finished: bool = False  # though it is STOPPED, it had all of its training; one that is COMPLETED had so anyway


def record_run(
    path: str | os.PathLike[str],
    *,
    metric: str | Sequence[str],
    mode: str | Sequence[str],
    trials: Iterable[PastTrial],
    source: str,
    param_space: Mapping[str, Any] | Space | None = None,
) -> ResultGrid:
    """Write a run into a new folder from trials that were made elsewhere, and open it.

    `source` says in words where they come from. They are numbered in the order in which they began. Without a space, what
    the configs hold is undeclared. Such a run lacks its trainable and nothing else: it can be looked at, exported and learnt
    from (`warm_start=[path]`), and not gone on with.

    Raises OptionError where a trial cannot be written down, RunError where the folder is there already or cannot be made.
    Nothing is left behind then.
    """
    path = os.path.abspath(path)
    if os.path.lexists(path):
        raise RunError(f"{path!r} is there already, and a run is never written over: give another name, or remove it")
    objective = Objective(metric, mode).to_json()
    space = param_space if isinstance(param_space, Space) else Space(dict(param_space or {}))
    lives = [_life(number, trial, began) for number, (began, trial) in enumerate(_in_order(trials))]
    settings = {
        **{key: names[0] if len(names) == 1 else names for key, names in objective.items()},
        "param_space": space.to_json(), "num_samples": len(lives), "seed": None, "plugins": [], "imported_from": source,
        "trainable": {"$object": f"the one of {source}", "name": "imported"},
    }  # fmt: skip
    head, name = os.path.split(path)
    draft = os.path.join(head, f".{name}.{secrets.token_hex(4)}")  # beside its place, and moved there in one step
    try:
        _write(draft, name, settings, lives, source)
        os.rename(draft, path)
    except OSError as error:
        raise RunError(f"the run {path!r} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ResultGrid(path)


def _in_order(trials: Iterable[PastTrial]) -> list[tuple[float, PastTrial]]:
    """When each began, the earliest first. One of which no time is known follows the one before."""
    found: list[tuple[float, PastTrial]] = []
    began = 0.0
    for trial in trials:
        known = [trial.began, *(result.at - result.time_total_s for result in trial.results[:1]), trial.ended]
        began = next((at for at in known if at is not None), began)
        found.append((began, trial))
    return sorted(found, key=lambda pair: pair[0])


def _write(folder: str, name: str, settings: dict[str, Any], lives: list[list[Fact]], source: str) -> None:
    ids = [life[0][2] for life in lives]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise OptionError(f"two trials of {source} have the id {twice!r}: give each its own, or none")
    head = {"version": ev.VERSION, "id": secrets.token_hex(4), "name": name}
    head |= {"kernel": __version__, "host": "", "pid": 0}  # of no process
    state = State(folder)
    journal = Journal(folder, create=True)

    def record(at: float, kind: str, trial_id: str | None, body: dict[str, Any]) -> None:
        event = Event(state.seq + 1, at, kind, trial_id, body)
        journal.append(event)
        state.apply(event)  # which refuses what no run could have come to
        if kind == ev.ENDED:
            state.forget(trial_id or "")
        if len(journal.fresh) >= _BATCH:
            journal.commit()

    try:
        record(min((life[0][0] for life in lives), default=0.0), ev.OPENED, None, {**head, "settings": settings})
        for fact in merge(*lives, key=lambda fact: fact[0]):
            record(*fact)
        body = {"reason": f"imported from {source}", "finished": not state.lives}
        record(state.last_at, ev.CLOSED, None, body)
        journal.commit()
        journal.index()
    finally:
        journal.close()


def _life(number: int, trial: PastTrial, began: float) -> list[Fact]:
    """The events of a trial, in the order of their times."""
    trial_id = f"{number:05d}" if trial.id is None else trial.id
    if not is_id(trial_id):
        raise OptionError(f"{trial_id!r} cannot be the id of a trial: up to 100 letters, digits, _ and - can")
    if trial.state not in _STATES:
        raise OptionError(f"trial {trial_id} is {trial.state!r}: it must be one of {', '.join(_STATES)}")
    try:
        return list(_facts(number, trial_id, trial, began))
    except (TypeError, ValueError) as error:
        raise OptionError(f"trial {trial_id} cannot be written down: {error}") from error


def _facts(number: int, trial_id: str, trial: PastTrial, began: float) -> Iterator[Fact]:
    try:
        config = plain(dict(trial.config))
    except SpaceError as error:
        raise ValueError(f"its config {error}") from error
    yield _moment(began), ev.CREATED, trial_id, {"number": number, "config": config}
    if trial.state == PENDING and not trial.results:
        return
    yield began, ev.LAUNCHED, trial_id, {"attempt": 1}
    now, last = began, -math.inf
    for metrics, iteration, seconds, at, checkpoint in trial.results:
        if not iteration > last:
            raise ValueError(f"a result at iteration {iteration} comes after one at iteration {last}")
        now, last = max(now, _moment(at)), iteration
        body = {"iteration": iteration, "metrics": plain_metrics(metrics), "time_total_s": seconds}
        if checkpoint is not None:
            body["checkpoint"] = checkpoint
            yield now, ev.CHECKPOINT, trial_id, {"iteration": iteration, "path": checkpoint}
        yield now, ev.RESULT, trial_id, body
    now = max(now, now if trial.ended is None else _moment(trial.ended))
    if trial.state == PENDING:
        yield now, ev.INTERRUPTED, trial_id, {"reason": trial.reason or "it was not over"}
        return
    ending: dict[str, Any] = {"state": trial.state, "reason": trial.reason or trial.state.lower()}
    if trial.state == STOPPED and trial.finished:
        ending["finished"] = True
    if trial.state == FAILED:
        ending["failure"] = {"kind": "error", "message": ending["reason"], "traceback": trial.error or ""}
    yield now, ev.ENDED, trial_id, ending


def _moment(at: float) -> float:
    if not math.isfinite(at):
        raise ValueError(f"its time {at} is no number of seconds")
    return float(at)
