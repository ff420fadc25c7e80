"""suggest: fill the free slots, with the oldest pending trial first and new suggestions after that."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from typing import Any, cast

from microtune import arguments
from microtune import events as ev
from microtune.answers import Done, Resume, Start, Stop, StopRun, Wait
from microtune.attempt import checkpoint_iteration
from microtune.compose import SEARCHER, Call, Composed, deliver
from microtune.faults import PluginError, RunError, SpaceError, describe
from microtune.kernel import Kernel
from microtune.lifecycle.decide import ending
from microtune.plain import copied
from microtune.seeds import Later
from microtune.trial import PAUSED, PENDING, RUNNING, STOPPED, Trial

INFEASIBLE = 100  # in a row: the constraints leave nothing


def fill(k: Kernel) -> None:
    k.idle = None
    k.done = False
    refused = 0
    # Trials that are pending only until their last attempt has left have their slot already.
    held = sum(1 for trial_id in k.leaving if k.state.lives[trial_id].trial.state == PENDING) if k.leaving else 0
    counts = k.state.counts
    while counts[RUNNING] + held < k.room and k.stop_reason is None:
        trial = k.state.pop_pending(k.leaving)
        if trial is None:
            answer, who = _ask(k)
            kind = type(answer)
            if kind is Done or kind is Wait:
                k.idle, k.done = answer.reason, kind is Done
                break
            if not _take(k, answer, who):
                refused = 0
                held += kind is Resume and answer.trial_id in k.leaving
            elif (refused := refused + 1) >= INFEASIBLE:
                raise RunError(f"{refused} configs in a row broke a constraint: loosen the constraints or narrow the space")
            continue
        k.launches.append(k.record(ev.LAUNCHED, trial.id, {"attempt": trial.attempt + 1}))
    if k.idle is not None and not k.done and not k.running and not k.leaving:
        raise RunError(f"nothing runs and nothing can be started, so waiting would never end: {k.idle}")


def _ask(k: Kernel) -> tuple[Any, Composed]:
    """The scheduler, then, as long as there may be more trials, the searcher; then the scheduler again, if need be."""
    limit, number = k.facts.limits.trials, k.state.created
    arguments = {"run": k.facts, "rng": Later(k.facts.seed, "suggest", number)}
    for call in k.plugins.calls["suggest"]:
        if call.composed.role == SEARCHER and limit is not None and number - k.state.uncounted >= limit:
            answer: Any = _all_started(limit)
        else:
            answer = _deliver(k, call, arguments)
        if type(answer) is Done or (type(answer) is Wait and not k.running and not k.leaving):
            return _ask_again(k, answer, call.composed, arguments)
        if answer is not None:
            return answer, call.composed
    searcher = k.plugins.of(SEARCHER)[0].title
    raise PluginError(f"{searcher} answered suggest with None: where it has nothing to start it answers Wait or Done")


def _ask_again(k: Kernel, nothing: Done | Wait, who: Composed, arguments: dict[str, Any]) -> tuple[Any, Composed]:
    """A scheduler that waits for more trials before it resumes a paused one hears that there are none."""
    if k.state.counts[PAUSED] and who.role == SEARCHER:
        k.facts.exhausted = nothing.reason
        try:
            for call in k.plugins.calls["suggest"]:
                if call.composed.role != SEARCHER and (answer := _deliver(k, call, arguments)) is not None:
                    return answer, call.composed
        finally:
            k.facts.exhausted = None
    return nothing, who


def _deliver(k: Kernel, call: Call, arguments: dict[str, Any]) -> Any:
    return k.observe(call, "suggest", arguments) if call.observes else deliver(call, "suggest", arguments)


@cache  # asked at every turn of the last trials
def _all_started(limit: int) -> Done:
    return Done(f"all {limit} trials have been started")


def _take(k: Kernel, answer: Any, who: Composed) -> bool:
    """Do what was suggested; True if it was a config that breaks a constraint."""
    if isinstance(answer, Start):
        return _create(k, answer, who)
    if isinstance(answer, Resume):
        _resume(k, answer, who)
    elif isinstance(answer, Stop):
        trial = _paused(k, answer.trial_id, who, "Stop")
        trial = k.record(ev.ENDED, trial.id, ending(answer))
        k.tell("on_end", trial=trial)
        if trial.id not in k.leaving:
            k.state.forget(trial.id)
    elif isinstance(answer, StopRun):
        k.stop(answer.reason)
    else:
        allowed = "Start, Resume, Stop, Wait, Done or StopRun"
        raise PluginError(f"{who.title} answered suggest with {answer!r}: it may answer {allowed}")
    return False


def _create(k: Kernel, start: Start, who: Composed) -> bool:
    number = k.state.created
    config = _projected(k, start.config, who, number, 0)
    body: dict[str, Any] = {"number": number, "config": config}
    if start.token is not None:
        body["token"] = _json(start.token, "a token", who)
    if start.checkpoint is not None:
        body["checkpoint"] = os.fspath(start.checkpoint)
        body["iteration"] = checkpoint_iteration(start.checkpoint)
    infeasible = not k.facts.space.feasible(config)
    if infeasible:
        body["infeasible"] = True
    elif (resources := _resources(k, start.resources, config, who)) is not None:
        body["resources"] = resources
    trial = k.record(ev.CREATED, f"{number:05d}", body)
    if infeasible:  # both are written down before anyone can fail: it is never launched, not by a resume either
        ended = k.record(ev.ENDED, trial.id, {"state": STOPPED, "reason": "infeasible"})
        k.state.forget(trial.id)
    k.tell("on_start", trial=trial)
    if infeasible:
        k.tell("on_end", trial=ended)
    return infeasible


def _resume(k: Kernel, resume: Resume, who: Composed) -> None:
    trial = _paused(k, resume.trial_id, who, "Resume")
    body: dict[str, Any] = {}
    if resume.config is not None:
        body["config"] = _projected(k, resume.config, who, trial.number, trial.starts)
    if resume.checkpoint is not None:
        body["checkpoint"] = os.fspath(resume.checkpoint)
    if body:  # a new line
        body["iteration"] = checkpoint_iteration(resume.checkpoint or trial.checkpoint)
    if (resources := _resources(k, resume.resources, body.get("config"), who)) is not None:
        body["resources"] = resources
    trial = k.record(ev.RESUMED, trial.id, body)
    k.tell("on_start", trial=trial)


def _paused(k: Kernel, trial_id: str | None, who: Composed, verb: str) -> Trial:
    life = k.state.lives.get(trial_id or "")
    if life is None or life.trial.state != PAUSED:
        state = life.trial.state if life else "over or unknown"
        raise PluginError(f"{who.title} answered {verb} for trial {trial_id!r}, which is {state}, not PAUSED")
    return life.trial


def _projected(k: Kernel, config: dict[str, Any], who: Composed, number: int, starts: int) -> dict[str, Any]:
    try:
        return k.facts.space.project(config, cast("random.Random", Later(k.facts.seed, "project", number, starts)))
    except SpaceError as error:
        raise PluginError(f"{who.title} proposed a config that does not fit the space: {error}") from error


def _resources(k: Kernel, suggested: dict[str, float] | None, config: dict[str, Any] | None, who: Composed) -> Any:
    """What this trial needs: as suggested, else as the Tuner's function has it for a new config; None: nothing of its own."""
    if suggested is not None:
        return _json(suggested, "resources", who)
    if k.facts.resources_of is None or config is None:
        return None
    try:
        return arguments.resources(k.facts.resources_of(copied(config)))
    except Exception as error:  # the user's function, or what it returned
        raise RunError(f"resources=, a function of the config, is of no use for {config}: {describe(error)}") from error


def _json(value: Any, what: str, who: Composed) -> Any:
    """The value as a resumed run will read it: a tuple is a list, live too."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginError(f"{who.title} answered suggest with {what} that cannot be written as JSON: {error}") from error
