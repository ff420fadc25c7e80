"""decide: a request, stop rules, then the scheduler, say what the trial does after this result. In force once committed."""

from __future__ import annotations

from typing import Any

from microtune import events as ev
from microtune.answers import Continue, Pause, Stop, StopRun
from microtune.faults import PluginError
from microtune.kernel import Kernel
from microtune.lifecycle import requested
from microtune.lifecycle.result import CONTINUE
from microtune.trial import STOPPED, Result, Trial


def decide(k: Kernel, trial: Trial, result: Result) -> None:
    asked = trial.id in k.to_stop
    answer, who = (requested.STOP, requested.WHO) if asked else k.ask("decide", trial=trial, result=result)
    if answer is None or type(answer) is Continue:
        k.steers[trial.id] = (trial, CONTINUE)
        return
    body = {"reason": getattr(answer, "reason", ""), "by": who}
    if type(answer) is Stop:
        k.record(ev.DECIDED, trial.id, {"decision": "stop", **body}, result.at)
        trial = k.record(ev.ENDED, trial.id, ending(answer), result.at)
        k.tell("on_end", trial=trial)
    elif type(answer) is Pause:
        trial = k.record(ev.DECIDED, trial.id, {"decision": "pause", **body}, result.at)
        k.tell("on_pause", trial=trial)
    elif type(answer) is StopRun:
        k.record(ev.DECIDED, trial.id, {"decision": "stop_run", **body}, result.at)
        k.stop(answer.reason)
        return  # drained with the others at the end of the batch
    else:
        raise PluginError(f"{who!r} answered decide with {answer!r}: it may answer Continue, Pause, Stop, StopRun or None")
    k.leaving[trial.id] = trial.attempt
    k.steers[trial.id] = (trial, answer)


def ending(answer: Stop) -> dict[str, Any]:
    body = {"state": STOPPED, "reason": answer.reason}
    return {**body, "finished": True} if answer.finished else body
