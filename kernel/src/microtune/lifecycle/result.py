"""result: what a trial reports becomes an event, and everyone hears it once."""

from __future__ import annotations

from typing import Any

from microtune import events as ev
from microtune.answers import Continue, Exited, Reported
from microtune.kernel import Kernel
from microtune.replay import Life
from microtune.trial import RUNNING, Result, Trial

CONTINUE = Continue()


def current(k: Kernel, report: Reported | Exited) -> Life | None:
    """The life that this report belongs to; None where it is of a past attempt."""
    life = k.state.lives.get(report.trial_id)
    return life if life is not None and life.trial.attempt == report.attempt else None


def take(k: Kernel, report: Reported) -> tuple[Trial, Result] | None:
    """Record a result and tell it. None where nothing is to be decided: it repeats an earlier one, or came too late."""
    life = current(k, report)
    if life is None or life.trial.state != RUNNING:  # it has been decided already that this trial leaves
        return None
    trial_id = report.trial_id
    if report.checkpoint is not None:
        checkpointed(k, life, report.checkpoint, report.iteration, report.at)
    seconds = life.spent + report.at - life.began
    body: dict[str, Any] = {"iteration": report.iteration, "metrics": report.metrics, "time_total_s": seconds}
    if report.checkpoint is not None:
        body["checkpoint"] = report.checkpoint
    if report.iteration <= life.trial.iteration:  # a retry goes again over ground that was reported before its checkpoint was
        body["repeat"] = True
        k.steers[trial_id] = (k.record(ev.RESULT, trial_id, body, report.at), CONTINUE)
        return None
    trial = k.record(ev.RESULT, trial_id, body, report.at)
    result = Result(report.metrics, report.iteration, seconds, report.at, report.checkpoint)
    k.tell("on_result", trial=trial, result=result)
    return trial, result


def checkpointed(k: Kernel, life: Life, path: str, iteration: int, at: float) -> None:
    trial = k.record(ev.CHECKPOINT, life.trial.id, {"iteration": iteration, "path": path}, at)
    k.fresh_checkpoints.append((trial, path, life))
