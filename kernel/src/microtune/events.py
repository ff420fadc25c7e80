"""What is written down: the kinds of event, in the order in which a trial meets them, and the body of each.

The state of a run is the fold of its events (`replay.py`), and loggers hear them after they are committed. Bodies are plain
JSON; a key that is absent has its default; a path inside the run's folder is stored as "./...". `VERSION` is raised when an
old reader would misread a new journal.

opened       {version, id, name, kernel, host, pid, settings}     the first session. settings: see below
changed      {version, kernel, host, pid, settings, retry_failed?}   a later session; only the settings that changed
created      {number, config, token?, checkpoint?, iteration?, resources?, infeasible?, retries?}
                                                                   retries: the failed trial whose place it takes
resumed      {config?, checkpoint?, iteration?, resources?, reason?}
                                                                   starts + 1; PAUSED -> PENDING. iteration: a new line
launched     {attempt}                                             PENDING -> RUNNING
checkpoint   {iteration, path}                                     committed; just before the result that it came with
result       {iteration, metrics, time_total_s, checkpoint?, repeat?}   repeat: true at an iteration already reported
decided      {decision: pause | stop | stop_run, reason, by}       a Continue is not written. pause: RUNNING -> PAUSED
interrupted  {reason, failure?, counted?}                          RUNNING -> PENDING: a retry, a lost worker, the run's end
ended        {state, reason, finished?, failure?}                  COMPLETED, STOPPED or FAILED; once per trial. finished:
                                                                   true of one that was stopped, but had all its training
deleted      {path, instead?}                                      a checkpoint that goes; instead: it was found missing
fault        {plugin?, hook?, message, traceback?}                 something went wrong that did not end the run
closed       {reason, finished, error?}                            the session ended in order. finished: nothing is left to do

`failure` is {kind, message, traceback}. `settings` holds what `Tuner` was given: metric, mode, space, num_samples, seed,
limits, max_concurrent_trials, max_failures, fail_fast, resources, checkpoints, trainable, and `plugins`, a list of
{role, name, distribution, version, options} in the order of registration; `warm_started`, a list of {path, id, seq}: the runs
of warm_start as far as they count. A run that was imported has `imported_from`, a text, and of the others only what is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from microtune import trial as states

VERSION = 1

OPENED = "opened"
CHANGED = "changed"
CREATED = "created"
RESUMED = "resumed"
LAUNCHED = "launched"
CHECKPOINT = "checkpoint"
RESULT = "result"
DECIDED = "decided"
INTERRUPTED = "interrupted"
ENDED = "ended"
DELETED = "deleted"
FAULT = "fault"
CLOSED = "closed"

KINDS = (OPENED, CHANGED, CREATED, RESUMED, LAUNCHED, CHECKPOINT, RESULT, DECIDED, INTERRUPTED, ENDED, DELETED, FAULT, CLOSED)


class Event(NamedTuple):
    """One fact. `seq` counts from 1 without gaps; `at` is the executor's clock; `trial` is an id, or None."""

    seq: int
    at: float
    kind: str
    trial: str | None
    body: dict[str, Any]


def finished(ended: dict[str, Any]) -> bool:
    """Whether the trial of this `ended` event had all the training that it was to have."""
    return bool(ended.get("finished", ended["state"] == states.COMPLETED))
