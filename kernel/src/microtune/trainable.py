"""The trial's side: what a trainable calls, and `run_trial`, which an executor calls in the worker to run one attempt."""

from __future__ import annotations

import inspect
import os
import threading
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from microtune import attempt as attempts
from microtune import seeds
from microtune.answers import Failure
from microtune.attempt import (
    PAUSE,
    STOP,
    Assignment,
    Attempt,
    Exchange,
    Outcome,
    Terms,
    TrialHalted,
    current,
    entered,
)
from microtune.drafts import CheckpointDir
from microtune.plain import copied

LONGEST = 100_000  # characters of an error, each of its message and its traceback
_OURS = (__file__, attempts.__file__)


class Context(NamedTuple):
    """What a trainable may know about its trial."""

    trial_id: str
    number: int
    attempt: int
    resources: dict[str, float]
    folder: Path
    seed: int  # of this trial, derived from the run's; the same at every attempt


# --- what a trainable calls ------------------------------------------------------------------------------------------


def report(metrics: dict[str, Any] | None = None, /, *, checkpoint: str | os.PathLike[str] | None = None, **more: Any) -> None:
    """Report metrics, as a dict or keywords, and a checkpoint folder. Returns when the run has decided to go on.

    Raises TrialHalted when the trial is to pause or stop: let it pass. Values are numbers, strings, booleans, None, and
    lists and dicts of these; numpy scalars and one-element tensors are turned into numbers.
    """
    attempt = current()
    if metrics is not None and not isinstance(metrics, dict):
        raise TypeError(f"report() takes a dict of metrics or keywords, not {type(metrics).__name__}")
    attempt.report({**metrics, **more} if metrics else more, checkpoint)


def get_checkpoint() -> Path | None:
    """The folder to restore from, or None where the trial starts at the beginning.

    Where checkpoints are kept on a URL it is a copy, which goes when this attempt ends. Raises RunError if it cannot be had.
    """
    return current().drafts.restored()


def checkpoint_dir() -> CheckpointDir:
    """A new folder in the trial's own storage, as a path and a context manager. Give it to `report(checkpoint=...)`.

    It is written once: reporting renames it, or uploads it where checkpoints are kept on a URL. A folder that is never
    reported is removed.
    """
    return current().checkpoint_dir()


def get_context() -> Context:
    """The trial's id, number, attempt, resources, folder and seed."""
    attempt = current()
    task = attempt.assignment
    return Context(
        task.trial_id, task.number, task.attempt, task.resources, attempt.drafts.folder(),
        seeds.derive(attempt.terms.seed, "trial", task.trial_id),
    )  # fmt: skip


class Trainable:
    """A trainable as a class: override `setup` and `step`; `save_checkpoint` and `load_checkpoint` to be resumable."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def setup(self, config: dict[str, Any], *args: Any, **parameters: Any) -> None:
        """Build what `step` needs. An override names the parameters that `with_parameters` gives it, if there are any."""

    def step(self) -> dict[str, Any]:
        """One iteration; the metrics to report. `{"done": True}` in it ends the trial."""
        raise NotImplementedError(f"{type(self).__name__} must define step()")

    def save_checkpoint(self, folder: Path) -> None:
        """Write the state into this folder."""
        raise NotImplementedError(f"{type(self).__name__} must define save_checkpoint() to be paused or resumed")

    def load_checkpoint(self, folder: Path) -> None:
        """Read what `save_checkpoint` wrote."""
        raise NotImplementedError(f"{type(self).__name__} must define load_checkpoint() to be paused or resumed")

    def reset_config(self, config: dict[str, Any]) -> bool:
        """Take another config in place of a new object. True if that was possible; then `setup` is not called."""
        return False

    def cleanup(self) -> None:
        """Called when the object is no longer needed."""

    @property
    def saves(self) -> bool:
        return type(self).save_checkpoint is not Trainable.save_checkpoint


# --- what an executor calls ------------------------------------------------------------------------------------------


def run_trial(trainable: Any, assignment: Assignment, terms: Terms, exchange: Exchange) -> Outcome:
    """Run one attempt in this thread and say how it left. Never raises what the trainable raised, SystemExit included."""
    attempt = Attempt(assignment, terms, exchange)
    metrics = failure = None
    config = copied(assignment.config)  # where the trial shares its process with the kernel, the original is the kernel's
    with entered(attempt):
        try:
            if inspect.isclass(trainable):
                _run_class(trainable, config, attempt)
            else:
                metrics = attempt.finish(trainable(config))
        except TrialHalted:
            pass
        except BaseException as error:  # also SystemExit and KeyboardInterrupt raised by the trainable
            failure = _failure(error)
    return Outcome(metrics, attempt.iteration + (metrics is not None), attempt.on_the_way_out, failure)


def _run_class(cls: type[Any], config: dict[str, Any], attempt: Attempt) -> None:
    task, terms = attempt.assignment, attempt.terms
    trainable = _warm_or_new(cls, config)
    kept = False
    try:
        if task.checkpoint is not None:
            trainable.load_checkpoint(attempt.drafts.restored())

        def save(iteration: int) -> str:
            draft = attempt.checkpoint_dir()
            trainable.save_checkpoint(draft)
            return attempt.drafts.commit(draft, iteration)

        saved = attempt.iteration
        try:
            done = False
            while not done:
                metrics = _of_step(trainable.step())
                done = bool(metrics.pop("done", False))
                due = terms.every and (attempt.iteration + 1) % terms.every == 0
                folder = None
                if due or (done and terms.at_end and trainable.saves):
                    folder = attempt.checkpoint_dir()
                    trainable.save_checkpoint(folder)
                    saved = attempt.iteration + 1
                attempt.report(metrics, folder)
        finally:
            # A pause is useless without the state; a stop saves it only if that was asked for.
            wanted = attempt.decision == PAUSE or (attempt.decision == STOP and terms.at_end)
            if wanted and trainable.saves and saved < attempt.iteration:
                attempt.on_the_way_out = save(attempt.iteration)
        kept = type(trainable).reset_config is not Trainable.reset_config
    except TrialHalted:
        kept = type(trainable).reset_config is not Trainable.reset_config
        raise
    finally:
        if kept:
            _warm[threading.get_ident()] = trainable
        else:
            trainable.cleanup()


_warm: dict[int, Trainable] = {}  # by thread: the object of the last trial, where its class can take another config


def _warm_or_new(cls: type[Any], config: dict[str, Any]) -> Any:
    warm = _warm.pop(threading.get_ident(), None)
    if warm is not None:
        taken = False
        try:
            taken = type(warm) is cls and warm.reset_config(config)
        finally:
            if not taken:
                warm.cleanup()
        if taken:
            warm.config = config
            return warm
    trainable = cls(config)
    try:
        trainable.setup(config)
    except BaseException:
        trainable.cleanup()
        raise
    return trainable


def _of_step(metrics: Any) -> dict[str, Any]:
    if not isinstance(metrics, dict):
        raise TypeError(f"step() returned {metrics!r}: it must return a dict of metrics")
    return dict(metrics)


def close_worker() -> None:
    """Clean up what `run_trial` kept warm in this thread: a worker calls it before it ends."""
    trainable = _warm.pop(threading.get_ident(), None)
    if trainable is not None:
        trainable.cleanup()


def _failure(error: BaseException) -> Failure:
    kind = "error"
    if isinstance(error, MemoryError):
        kind = "out_of_memory"
        traceback.clear_frames(error.__traceback__)  # their variables are what fills the memory that the words below need
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OURS:  # how the trainable was called
        frames = frames.tb_next
    try:
        message = "".join(traceback.format_exception_only(type(error), error)).strip()
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception as worse:  # what an exception says of itself is the user's code too
        return Failure(kind, f"{type(error).__name__}, which cannot be put into words: {type(worse).__name__}")
    return Failure(kind, _cut(message), _cut(text))


def _cut(text: str) -> str:
    """The beginning and the end of what no person reads in full: an exception may hold a whole array."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n[...]\n{text[-LONGEST // 2 :]}"
