"""A trial, its states, and the table of legal transitions."""

from __future__ import annotations

from typing import Any, NamedTuple

PENDING = "PENDING"  # waits for a slot
RUNNING = "RUNNING"
PAUSED = "PAUSED"  # waits for the scheduler
COMPLETED = "COMPLETED"  # the trainable came to its end
STOPPED = "STOPPED"  # somebody decided so
FAILED = "FAILED"

ENDED = frozenset({COMPLETED, STOPPED, FAILED})

# RUNNING -> PENDING: a retry, a lost worker, an interrupted run. PAUSED -> STOPPED: the scheduler ends a loser.
TRANSITIONS = {
    PENDING: frozenset({RUNNING, STOPPED, FAILED}),
    RUNNING: frozenset({COMPLETED, STOPPED, FAILED, PAUSED, PENDING}),
    PAUSED: frozenset({PENDING, STOPPED}),
    COMPLETED: frozenset(),
    STOPPED: frozenset(),
    FAILED: frozenset(),
}


class IllegalTransition(RuntimeError):
    """A bug in the kernel, never the user's fault."""


class Trial(NamedTuple):
    """One configuration and its life, as of the event that it comes with: a later event brings a new Trial.

    A named tuple, since one is made at every report: `_replace` costs a quarter of `dataclasses.replace`.
    """

    id: str
    number: int  # 0, 1, 2, ... in the order of creation
    config: dict[str, Any]  # projected onto the space; plain JSON values; do not change it
    state: str = PENDING
    reason: str | None = None  # why it is in this state
    token: Any = None  # the searcher's own; None if another searcher suggested the trial
    starts: int = 1  # 1 when created, one more at each Resume
    attempt: int = 0  # launches so far
    failures: int = 0  # counted ones
    resources: dict[str, float] | None = None
    checkpoint: str | None = None  # where the next launch restores from
    iteration: int = 0  # training_iteration of its last result
    folder: str = ""
    finished: bool = False  # it is over and had all of its training: it came to its end, or was stopped where that is

    def moved(self, state: str, reason: str | None = None, **changes: Any) -> Trial:
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"trial {self.id} cannot go from {self.state} to {state} ({reason})")
        return self._replace(state=state, reason=reason, **changes)


class Result(NamedTuple):
    """One report of metrics.

    `training_iteration` and `time_total_s` (seconds of running, over all attempts) are counted by the kernel; `at` is the
    executor's clock in seconds; `checkpoint` is the folder or URL that came with the report, or None.
    """

    metrics: dict[str, Any]
    training_iteration: int
    time_total_s: float
    at: float
    checkpoint: str | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a metric or of one of the kernel's two counters; `a/b` also finds `b` inside `a`."""
        if name == "training_iteration":
            return self.training_iteration
        if name == "time_total_s":
            return self.time_total_s
        return lookup(self.metrics, name, default)


def lookup(metrics: dict[str, Any], name: str, default: Any = None) -> Any:
    """`metrics[name]`, or where there is none, the value at the path that `name` spells with slashes."""
    if name in metrics:
        return metrics[name]
    if "/" not in name:
        return default
    value: Any = metrics
    for part in name.split("/"):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value
