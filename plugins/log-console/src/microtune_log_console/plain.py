"""The console's words as plain lines: where there is no terminal, and at the end of every run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from microtune import Facts, Result, installed
from microtune_log_console.board import Board, Row
from microtune_log_console.wording import clean, cut, duration, exact, first_line, listing, number, one_line, pairs

MOST = 20  # parameters, and metrics, of the best trial that the summary lists


def header(run: Facts) -> Iterator[str]:
    limits = []
    if run.limits.trials is not None:
        limits.append(f"{run.limits.trials} trial{'s' * (run.limits.trials != 1)}")
    if run.limits.time is not None:
        limits.append(f"{duration(run.limits.time)} of time")
    goal = ", ".join(
        f"{mode} {clean(metric)}" for metric, mode in zip(run.objective.metrics, run.objective.modes, strict=True)
    )
    again = ", resumed" if run.resumed else ""
    yield f"microtune {clean(run.name)}{again}: {' or '.join(limits) or 'no limit'}, {goal}"


def status(board: Board, now: float) -> str:
    """Where the run stands."""
    parts = [f"[{duration(board.elapsed(now))}]"]
    total = board.run.limits.trials
    parts.append(f"{board.over}/{total} trials:" if total else f"{board.over} trials:")
    parts.append(listing(board.counts()))
    best = board.ranking(1)
    if best:
        parts.append(f"| best {measured(board.run, best[0].result)} (trial {best[0].trial.id})")
    left = board.left(now)
    if left:
        parts.append(f"| about {duration(left)} left")
    return " ".join(parts)


def measured(run: Facts, result: Result | None, more: tuple[str, ...] = ()) -> str:
    """accuracy 0.9722, loss 0.11"""
    names = dict.fromkeys((*run.objective.metrics, *more))
    return ", ".join(f"{clean(name)} {number(result.get(name), 6)}" for name in names) if result else "no result"


def ended(run: Facts, row: Row, metrics: tuple[str, ...], parameters: tuple[str, ...]) -> str:
    """How one trial ended."""
    trial, reason = row.trial, row.trial.reason or ""
    why = f" ({clean(reason)})" if reason.upper() not in ("", trial.state) else ""
    return (
        f"trial {trial.id} {trial.state.lower()} at iteration {trial.iteration}{why}: "
        f"{measured(run, row.result, metrics)} | {one_line(trial.config, parameters)}"
    )


def summary(board: Board, now: float, closed: dict[str, Any] | None) -> Iterator[str]:
    """What is to be known once the run is over."""
    run, finished = board.run, closed is not None and closed["finished"]
    took, reason = duration(board.elapsed(now)), clean((closed or {}).get("reason", "it was cut off"))
    if run.elapsed:
        took += f", {duration(run.elapsed + board.elapsed(now))} with the sessions before"
    if finished:
        yield f"microtune {clean(run.name)}: finished in {took} ({reason})"
    else:
        yield f"microtune {clean(run.name)}: ended unfinished after {took} ({reason})"
    counts = board.counts()
    left = {"left paused" if finished else "unfinished": counts.pop("running") + counts.pop("waiting")}
    yield f"trials      {listing(left | counts)}" + (f" ({board.retries} retried)" if board.retries else "")
    saved = board.saved(finished)
    if saved is not None:
        trials = f"{saved.trials} trial{'s' * (saved.trials != 1)}"
        took, part = duration(saved.time), f"{saved.part:.0%}"
        yield f"saved       about {took} of training ({part}): {trials} ended before iteration {saved.longest}"
    best = board.ranking(1)
    if best:
        yield from _best(run, best[0])
    elif board.over:
        yield f"best        none: no trial has a finite {clean(run.objective.metrics[0])}"
    if _on_disk(run):
        yield f"folder      {clean(run.path)}"
        command = "report" if any(entry.name == "report" for entry in installed("command")) else "show"
        yield f"see it      microtune {command} {shlex.quote(clean(run.path))}"


def troubles(board: Board, faults: list[str]) -> Iterator[str]:
    """What went wrong, in short."""
    if board.failure is not None:
        count = board.ended["FAILED"]
        trial_id, message = board.failure
        yield f"failed      {count} of {board.over}; the first, trial {trial_id}: {first_line(message)}"
    if faults:
        yield f"faults      {len(faults)}; the first: {first_line(faults[0])}"


def resume(board: Board) -> Iterator[str]:
    if _on_disk(board.run):
        yield f"go on with  microtune resume {shlex.quote(clean(board.run.path))}"


def _on_disk(run: Facts) -> bool:
    """A run in memory has a path too, where nothing is."""
    return os.path.exists(os.path.join(run.path, "journal.db"))


def _best(run: Facts, row: Row) -> Iterator[str]:
    assert row.result is not None
    many = len(run.objective.metrics) > 1
    yield (
        f"best        {measured(run, row.result)} (trial {row.trial.id}, iteration {row.result.training_iteration}"
        f"{', by its first metric; results.pareto_front() has the rest' if many else ''})"
    )
    yield from _block("config", row.trial.config)
    others = {name: value for name, value in pairs(row.result.metrics) if name not in run.objective.metrics}
    yield from _block("metrics", others)
    if row.checkpoint is not None:
        yield f"checkpoint  {clean(row.checkpoint)}"


def _block(title: str, values: dict[str, Any]) -> Iterator[str]:
    found = list(pairs(values))
    for index, (name, value) in enumerate(found[:MOST]):
        yield f"{'' if index else title:<11} {clean(name)} = {cut(exact(value), 200)}"
    if len(found) > MOST:
        yield f"{'':<11} ... and {len(found) - MOST} more"
