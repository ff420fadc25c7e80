"""launch and steer: the executor carries trials and decisions to the workers, after they are on disk."""

from __future__ import annotations

from microtune import events as ev
from microtune.faults import CannotFit
from microtune.kernel import Kernel, say
from microtune.trial import FAILED, Trial


def launch(k: Kernel) -> None:
    launches, k.launches = k.launches, []
    for trial in launches:
        needed = getattr(k.facts.trainable, "needs_checkpoint", True)  # a recorded curve goes on at its step without one
        if needed and trial.starts > 1 and trial.iteration and trial.checkpoint is None:
            _say_that_it_starts_over(k, trial)
        try:
            k.tell("launch", trial=trial)
        except CannotFit as error:
            body = {"state": FAILED, "reason": str(error), "failure": {"kind": "error", "message": str(error), "traceback": ""}}
            k.tell("on_end", trial=k.record(ev.ENDED, trial.id, body))
            k.state.forget(trial.id)
            if k.policy.fail_fast:
                k.stop(f"fail_fast: trial {trial.id} failed: {error}")
            k.commit()


def _say_that_it_starts_over(k: Kernel, trial: Trial) -> None:
    """Once: it is the same for every other trial."""
    if not k.starting_over:
        k.starting_over = True
        say.warning(
            "trial %s, paused at iteration %d, is resumed from ZERO and trains all that again: %s has reported no checkpoint. "
            "So will every other paused trial. Save one and report it, microtune.report(..., checkpoint=folder) with "
            "folder = microtune.checkpoint_dir(), or choose a scheduler that pauses nobody, such as asha:type=stopping",
            trial.id, trial.iteration, getattr(k.facts.trainable, "__qualname__", "the trainable"),
        )  # fmt: skip


def steer(k: Kernel) -> None:
    steers, k.steers = k.steers, {}
    for trial, decision in steers.values():
        k.tell("steer", trial=trial, decision=decision)
