"""Every typed answer that a plugin gives, and every fact that an executor reports.

A hook that asks may also answer None: "no opinion". None never means wait, continue or done; these have types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

# --- what `suggest` may answer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Create a trial with this config. Parameters of the space that it leaves out are sampled by the kernel.

    `token` is an opaque JSON value that comes back as `trial.token`; `checkpoint` is a folder or URL to start from;
    `resources` replaces the run's resources for this trial.
    """

    config: dict[str, Any]
    token: Any = None
    checkpoint: str | None = None
    resources: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Run a paused trial again, from its own last checkpoint unless another is named, with its own config likewise.

    Naming a config or a checkpoint starts a new line: the trial counts on from that checkpoint's iteration.
    """

    trial_id: str
    config: dict[str, Any] | None = None
    checkpoint: str | None = None
    resources: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to start until something is reported. While nothing runs this is an error that shows the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to start now. Asked again while trials run; final once none does."""

    reason: str


# --- what `decide` may answer ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Continue:
    """The trial trains on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The trial gives its slot back and may be resumed from its last checkpoint. Only a scheduler should answer so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The trial is over and is never resumed. `trial_id` is for `suggest`, which ends a paused trial with it.

    `finished`: it has had all the training that it was to have, so what it reported last is its value, as if it had come to
    its end by itself. A stop rule and a scheduler's limit say so. False: it was cut short, and would have got further.
    """

    reason: str
    trial_id: str | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class StopRun:
    """The run is over, its trials are not: running ones are paused, and a resumed run takes them up first."""

    reason: str


Suggestion = Start | Resume | Stop | Wait | Done | StopRun
Decision = Continue | Pause | Stop | StopRun


# --- what an executor is told through `steer`, beside a Decision ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete a checkpoint that the kernel cannot delete itself: one whose url is not a local folder.

    `microtune.Remover` does it in a thread of its own, so that `steer` returns at once.
    """

    url: str


# --- what an executor reports. Named tuples, as all that is made once a report: five times cheaper than frozen dataclasses


class Failure(NamedTuple):
    """Why an attempt failed. `kind`: error (the trainable raised), lost (process or node died), timeout, out_of_memory."""

    kind: str
    message: str
    traceback: str = ""


class Reported(NamedTuple):
    """The trial reported metrics at `iteration`, counted by the worker on from the checkpoint that it restored.

    `metrics` holds plain JSON values, NaN and infinities included. `checkpoint` is a committed folder or
    URL, or None.
    """

    trial_id: str
    attempt: int
    at: float
    metrics: dict[str, Any]
    iteration: int
    checkpoint: str | None = None


class Exited(NamedTuple):
    """The attempt left its worker: it completed, obeyed a decision, or failed.

    `checkpoint` is one written on the way out, without a result of its own, at `iteration`.
    """

    trial_id: str
    attempt: int
    at: float
    failure: Failure | None = None
    checkpoint: str | None = None
    iteration: int | None = None


class Batch(NamedTuple):
    """What `wait` answers: the time (seconds since the epoch, or virtual), the reports since the last batch in the order
    in which they happened, how many trials the executor wants to hold now (queued ones included), and what it has in all.
    """

    now: float
    reports: list[Reported | Exited]
    slots: int
    capacity: dict[str, float]
