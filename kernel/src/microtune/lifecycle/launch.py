"""launch and steer: the executor carries trials and decisions to the workers, after they are on disk."""

from __future__ import annotations

from microtune import events as ev
from microtune.faults import CannotFit
from microtune.kernel import Kernel
from microtune.trial import FAILED


def launch(k: Kernel) -> None:
    launches, k.launches = k.launches, []
    for trial in launches:
        try:
            k.tell("launch", trial=trial)
        except CannotFit as error:
            body = {"state": FAILED, "reason": str(error), "failure": {"kind": "error", "message": str(error), "traceback": ""}}
            k.tell("on_end", trial=k.record(ev.ENDED, trial.id, body))
            k.state.forget(trial.id)
            if k.policy.fail_fast:
                k.stop(f"fail_fast: trial {trial.id} failed: {error}")
            k.commit()


def steer(k: Kernel) -> None:
    steers, k.steers = k.steers, {}
    for trial, decision in steers.values():
        k.tell("steer", trial=trial, decision=decision)
