"""One attempt of a trial, as its worker sees it.

Everything between the worker and the kernel is plain data, so an executor only has to carry it: an `Assignment` in,
`exchange(metrics, iteration, checkpoint) -> "continue" | "pause" | "stop"` at each report, an `Outcome` out.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from microtune.answers import Failure
from microtune.drafts import CheckpointDir, Drafts
from microtune.faults import MicrotuneError
from microtune.metrics import as_metrics, plain_metrics

if TYPE_CHECKING:
    from microtune.facts import Facts
    from microtune.trial import Trial

CONTINUE, PAUSE, STOP = "continue", "pause", "stop"


class TrialHalted(BaseException):
    """The run paused or stopped this trial. Not an Exception, so that only `finally` and `with` see it pass."""


class Terms(NamedTuple):
    """What all trials of a run share on their worker's side. Plain data."""

    seed: int
    metrics: tuple[str, ...] = ()  # the objective's, which must be numbers wherever they are reported
    every: int = 0  # a Trainable class saves a checkpoint at every so many iterations
    at_end: bool = False  # and when it ends
    remote: str | None = None  # the URL that checkpoints go to

    @classmethod
    def of(cls, run: Facts) -> Terms:
        keep = run.checkpoints
        return cls(run.seed, run.objective.metrics, keep.get("every") or 0, keep.get("at_end", False), run.remote)


class Assignment(NamedTuple):
    """One attempt of one trial, for a worker. Plain data."""

    trial_id: str
    number: int
    attempt: int
    config: dict[str, Any]
    checkpoint: str | None
    iteration: int  # of that checkpoint; 0 without one
    resources: dict[str, float]
    folder: str

    @classmethod
    def of(cls, run: Facts, trial: Trial) -> Assignment:
        return cls(
            trial.id, trial.number, trial.attempt, trial.config, trial.checkpoint, checkpoint_iteration(trial.checkpoint),
            trial.resources or run.resources, trial.folder,
        )  # fmt: skip


class Outcome(NamedTuple):
    """How an attempt left. `metrics`: a returned value, to be reported at `iteration` just before the exit."""

    metrics: dict[str, Any] | None
    iteration: int
    checkpoint: str | None
    failure: Failure | None


Exchange = Callable[[dict[str, Any], int, "str | None"], str]


def checkpoint_iteration(path: str | None) -> int:
    """The iteration in a checkpoint's name, `<iteration>-<attempt>`; 0 for a folder of somebody else's."""
    head = os.path.basename(path).partition("-")[0] if path else ""
    return int(head) if head.isdigit() else 0


class Attempt:
    """One attempt, as its worker sees it."""

    def __init__(self, assignment: Assignment, terms: Terms, exchange: Exchange) -> None:
        self.assignment = assignment
        self.terms = terms
        self.exchange = exchange
        self.iteration = assignment.iteration
        self.on_the_way_out: str | None = None  # a checkpoint without a result
        self.decision = CONTINUE
        self.closed = False
        self.strangers = frozenset(threading.enumerate())  # threads that this trial has not started
        self._lock = threading.Lock()  # a trainable may report from threads of its own
        self.drafts = Drafts(assignment, terms.remote)

    def report(self, metrics: dict[str, Any], checkpoint: str | os.PathLike[str] | None = None) -> None:
        with self._lock:
            if self.closed:
                raise MicrotuneError(
                    f"trial {self.assignment.trial_id} is over: report() was called after its trainable returned, from a "
                    "thread or a callback it left"
                )
            if self.decision is not CONTINUE:  # somebody swallowed TrialHalted
                raise TrialHalted(self.decision)
            clean = plain_metrics(metrics, self.terms.metrics)
            path = None if checkpoint is None else self.drafts.commit(checkpoint, self.iteration + 1)
            self.iteration += 1
            decision = self.exchange(clean, self.iteration, path)
            if decision != CONTINUE:
                self.decision = decision
                raise TrialHalted(decision)

    def finish(self, returned: Any) -> dict[str, Any] | None:
        """What the trainable returned: a generator to drain, the last metrics, or nothing."""
        if inspect.isgenerator(returned):
            returned = self._drain(cast("Generator[Any, None, Any]", returned))
        if returned is None:
            return None
        return plain_metrics(as_metrics(returned, self.terms.metrics, "returned"), self.terms.metrics)

    def _drain(self, generator: Generator[Any, None, Any]) -> Any:
        try:
            while True:
                self.report(as_metrics(next(generator), self.terms.metrics, "yielded"))
        except StopIteration as stop:
            return stop.value
        finally:
            generator.close()  # its `finally` blocks run now, in this thread, not whenever it is collected

    def checkpoint_dir(self) -> CheckpointDir:
        return self.drafts.new(self.iteration + 1)

    def close(self) -> None:
        with self._lock:  # a thread that the trainable left may be waiting for an answer
            self.closed = True
        self.drafts.clear()


# By thread: the inline executors of two tuners may run side by side in one process.
_attempts: dict[int, Attempt] = {}


@contextmanager
def entered(attempt: Attempt) -> Iterator[None]:
    """Within it, whatever this thread and those that it starts report is the attempt's."""
    _attempts[threading.get_ident()] = attempt
    try:
        yield
    finally:
        attempt.close()
        del _attempts[threading.get_ident()]


def current() -> Attempt:
    """The attempt of this thread, or of the trial that started this thread."""
    attempt = _attempts.get(threading.get_ident())
    if attempt is not None:
        return attempt
    thread = threading.current_thread()  # perhaps one that a trainable has started
    own = [attempt for attempt in list(_attempts.values()) if thread not in attempt.strangers]
    if not own:
        raise MicrotuneError(
            "no trial runs here: report(), checkpoint_dir(), get_checkpoint() and get_context() work inside a trainable that "
            "a Tuner runs, while it runs; to try one alone, use Tuner(..., num_samples=1, executor='inline')"
        )
    if len(own) > 1:
        raise MicrotuneError(
            f"{len(own)} trials run in this process and any of them may have started the thread {thread.name!r}: call "
            "report(), checkpoint_dir(), get_checkpoint() and get_context() in the thread that the trainable is called in"
        )
    return own[0]
