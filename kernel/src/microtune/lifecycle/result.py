"""result: what a trial reports becomes an event, and everyone hears it once."""

from __future__ import annotations

from typing import Any

from microtune import events as ev
from microtune.answers import Continue, Reported
from microtune.kernel import Kernel
from microtune.replay import Life
from microtune.trial import RUNNING, Result, Trial

CONTINUE = Continue()


def take(k: Kernel, report: Reported) -> tuple[Trial, Result] | None:
    """Record a result and tell it. None where nothing is to be decided: it repeats an earlier one, or its trial leaves."""
    trial_id, attempt, at, metrics, iteration, checkpoint = report
    life = k.state.lives.get(trial_id)
    if life is None or life.trial.attempt != attempt:
        return None
    leaving = life.trial.state != RUNNING
    if leaving and trial_id not in k.drained:  # it has been decided already that this trial leaves
        return None
    seconds = life.spent + at - life.began
    body: dict[str, Any] = {"iteration": iteration, "metrics": metrics, "time_total_s": seconds}
    if checkpoint is not None:
        checkpointed(k, life, checkpoint, iteration, at)
        body["checkpoint"] = checkpoint
    if iteration <= life.trial.iteration:  # a retry goes again over ground that was reported before its checkpoint was
        body["repeat"] = True
        trial = k.record(ev.RESULT, trial_id, body, at)
        if not leaving:
            k.steers[trial_id] = (trial, CONTINUE)
        return None
    trial = k.record(ev.RESULT, trial_id, body, at)
    result = Result(metrics, iteration, seconds, at, checkpoint)
    k.tell("on_result", trial=trial, result=result)
    return None if leaving else (trial, result)


def checkpointed(k: Kernel, life: Life, path: str, iteration: int, at: float) -> None:
    trial = k.record(ev.CHECKPOINT, life.trial.id, {"iteration": iteration, "path": path}, at)
    k.fresh_checkpoints.append((trial, path, life))
