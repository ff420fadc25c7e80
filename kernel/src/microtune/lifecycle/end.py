"""end: a trial has left its worker, because it was told to, came to its end, or failed."""

from __future__ import annotations

from typing import Any

from microtune import events as ev
from microtune.answers import Exited, Failure
from microtune.faults import RunError
from microtune.kernel import Kernel
from microtune.lifecycle.result import checkpointed
from microtune.replay import Life
from microtune.trial import COMPLETED, FAILED, RUNNING

LOSSES = 3  # in a row at the same iteration: the trial itself kills its workers


def take(k: Kernel, exited: Exited) -> None:
    life = k.state.lives.get(exited.trial_id)
    if life is None or life.trial.attempt != exited.attempt:
        return
    if life.trial.state != RUNNING and exited.trial_id not in k.leaving:
        return
    k.steers.pop(exited.trial_id, None)  # nobody is left to hear it
    if exited.checkpoint is not None:
        iteration = life.trial.iteration if exited.iteration is None else exited.iteration
        checkpointed(k, life, exited.checkpoint, iteration, exited.at)
    if k.leaving.pop(exited.trial_id, None) is not None:
        _left(k, life, exited)
    elif exited.failure is not None:
        _failed(k, life, exited.failure, exited.at)
    elif not life.measured:
        _never_measured(k, life, exited.at)
    else:
        _end(k, life, {"state": COMPLETED, "reason": "completed"}, exited.at)


def _left(k: Kernel, life: Life, exited: Exited) -> None:
    """It obeyed a decision that is in force already; what went wrong on the way out changes nothing."""
    if exited.failure is not None:
        k.record(ev.FAULT, exited.trial_id, _failure(exited.failure), exited.at)
    k.state.left(exited.trial_id)


def _failed(k: Kernel, life: Life, failure: Failure, at: float) -> None:
    trial, limit = life.trial, k.policy.max_failures
    if failure.kind == "lost":  # the machine's fault, not the trial's, as long as the trial gets further in between
        counted = False
        again = (life.losses + 1 if life.lost_at == trial.iteration else 1) < LOSSES
    else:
        counted = True
        again = limit < 0 or trial.failures < limit
    body = {"reason": failure.message, "failure": _failure(failure)}
    if again:
        k.record(ev.INTERRUPTED, trial.id, {**body, "counted": counted}, at)
        return
    _end(k, life, {"state": FAILED, **body}, at)
    if k.policy.fail_fast:
        k.stop(f"fail_fast: trial {trial.id} failed: {failure.message}")


def _never_measured(k: Kernel, life: Life, at: float) -> None:
    metrics = ", ".join(repr(name) for name in k.facts.objective.metrics)
    message = (
        f"trial {life.trial.id} ended without ever reporting {metrics}, which the run optimises: report it with "
        f"microtune.report(...), return it, or name another metric="
    )
    failure = Failure("error", message)
    _end(k, life, {"state": FAILED, "reason": message, "failure": _failure(failure)}, at)
    if not k.state.measured:  # nobody has: the name is wrong, and every further trial would be wasted
        k.error = RunError(message)
        k.stop("the metric was never reported")


def _end(k: Kernel, life: Life, body: dict[str, Any], at: float) -> None:
    trial = k.record(ev.ENDED, life.trial.id, body, at)
    k.tell("on_end", trial=trial)
    k.state.forget(trial.id)


def _failure(failure: Failure) -> dict[str, Any]:
    return dict(failure._asdict())
