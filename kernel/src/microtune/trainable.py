"""The trial's side: what a trainable calls, and `run_trial`, which an executor calls in the worker to run one attempt.

Everything between the worker and the kernel is plain data, so an executor only has to carry it: an `Assignment` in,
`exchange(metrics, iteration, checkpoint) -> "continue" | "pause" | "stop"` at each report, an `Outcome` out.
"""

from __future__ import annotations

import inspect
import os
import shutil
import threading
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from microtune import seeds
from microtune.answers import Failure
from microtune.faults import MicrotuneError
from microtune.plain import copied
from microtune.trial import lookup

if TYPE_CHECKING:
    from microtune.facts import Facts
    from microtune.trial import Trial

CONTINUE, PAUSE, STOP = "continue", "pause", "stop"
COUNTED = ("training_iteration", "time_total_s")  # the kernel's own counters


class TrialHalted(BaseException):
    """The run paused or stopped this trial. Not an Exception, so that only `finally` and `with` see it pass."""


class Terms(NamedTuple):
    """What all trials of a run share on their worker's side. Plain data."""

    seed: int
    metrics: tuple[str, ...] = ()  # the objective's, which must be numbers wherever they are reported
    every: int = 0  # a Trainable class saves a checkpoint at every so many iterations
    at_end: bool = False  # and when it ends

    @classmethod
    def of(cls, run: Facts) -> Terms:
        keep = run.checkpoints
        return cls(run.seed, run.objective.metrics, keep.get("every") or 0, keep.get("at_end", False))


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


class Context(NamedTuple):
    """What a trainable may know about its trial."""

    trial_id: str
    number: int
    attempt: int
    resources: dict[str, float]
    folder: Path
    seed: int  # of this trial, derived from the run's; the same at every attempt


Exchange = Callable[[dict[str, Any], int, "str | None"], str]


# --- what a trainable calls ------------------------------------------------------------------------------------------


def report(metrics: dict[str, Any] | None = None, /, *, checkpoint: str | os.PathLike[str] | None = None, **more: Any) -> None:
    """Report metrics, as a dict or keywords, and a checkpoint folder. Returns when the run has decided to go on.

    Raises TrialHalted when the trial is to pause or stop: let it pass. Values are numbers, strings, booleans, None, and
    lists and dicts of these; numpy scalars and one-element tensors are turned into numbers.
    """
    session = _current()
    if metrics is not None and not isinstance(metrics, dict):
        raise TypeError(f"report() takes a dict of metrics or keywords, not {type(metrics).__name__}")
    session.report({**metrics, **more} if metrics else more, checkpoint)


def get_checkpoint() -> Path | None:
    """The folder to restore from, or None where the trial starts at the beginning."""
    path = _current().assignment.checkpoint
    return None if path is None else Path(path)


def checkpoint_dir() -> CheckpointDir:
    """A new folder in the trial's own storage, as a path and a context manager. Give it to `report(checkpoint=...)`.

    It is written once: reporting renames it. A folder that is never reported is removed.
    """
    return _current().checkpoint_dir()


def get_context() -> Context:
    """The trial's id, number, attempt, resources, folder and seed."""
    session = _current()
    task = session.assignment
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    return Context(
        task.trial_id, task.number, task.attempt, task.resources, Path(task.folder),
        seeds.derive(session.terms.seed, "trial", task.trial_id),
    )  # fmt: skip


class Trainable:
    """A trainable as a class: override `setup` and `step`; `save_checkpoint` and `load_checkpoint` to be resumable."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def setup(self, config: dict[str, Any]) -> None:
        """Build what `step` needs."""

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
    session = Session(assignment, terms, exchange)
    _sessions[threading.get_ident()] = session
    metrics = failure = None
    config = copied(assignment.config)  # where the trial shares its process with the kernel, the original is the kernel's
    try:
        if inspect.isclass(trainable):
            _run_class(trainable, config, session)
        else:
            metrics = session.finish(trainable(config))
    except TrialHalted:
        pass
    except BaseException as error:  # also SystemExit and KeyboardInterrupt raised by the trainable
        failure = _failure(error)
    finally:
        session.close()
        del _sessions[threading.get_ident()]
    return Outcome(metrics, session.iteration + (metrics is not None), session.on_the_way_out, failure)


def checkpoint_iteration(path: str | None) -> int:
    """The iteration in a checkpoint folder's name, `<iteration>-<attempt>`; 0 for a folder of somebody else's."""
    head = os.path.basename(path).partition("-")[0] if path else ""
    return int(head) if head.isdigit() else 0


class CheckpointDir(type(Path())):  # type: ignore[misc]
    """A folder that becomes a checkpoint when it is reported. On an exception inside its `with` it is removed."""

    def __enter__(self) -> CheckpointDir:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self, ignore_errors=True)


class Session:
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
        self._drafts: list[Path] = []

    def report(self, metrics: dict[str, Any], checkpoint: str | os.PathLike[str] | None = None) -> None:
        with self._lock:
            if self.closed:
                raise MicrotuneError(_ended(self.assignment.trial_id))
            if self.decision is not CONTINUE:  # somebody swallowed TrialHalted
                raise TrialHalted(self.decision)
            clean = plain_metrics(metrics, self.terms.metrics)
            path = None if checkpoint is None else self.commit(checkpoint, self.iteration + 1)
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
        return plain_metrics(_as_metrics(returned, self.terms, "returned"), self.terms.metrics)

    def _drain(self, generator: Generator[Any, None, Any]) -> Any:
        try:
            while True:
                self.report(_as_metrics(next(generator), self.terms, "yielded"))
        except StopIteration as stop:
            return stop.value
        finally:
            generator.close()  # its `finally` blocks run now, in this thread, not whenever it is collected

    def checkpoint_dir(self) -> CheckpointDir:
        root = Path(self.assignment.folder, "checkpoints")
        root.mkdir(parents=True, exist_ok=True)
        draft = CheckpointDir(root / f".draft-{self.assignment.attempt}-{self.iteration + 1}-{len(self._drafts)}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._drafts.append(Path(draft))
        return draft

    def commit(self, source: str | os.PathLike[str], iteration: int) -> str:
        """Make the folder the checkpoint of this iteration, visible at once and whole, and return its path."""
        folder = Path(source)
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "is not there; one from checkpoint_dir() can be reported once"
            raise FileNotFoundError(f"the checkpoint {str(folder)!r} {what}: write into checkpoint_dir() or a folder of yours")
        root = Path(self.assignment.folder, "checkpoints")
        target = root / f"{iteration}-{self.assignment.attempt}"
        if folder not in self._drafts:  # the user's own folder, which stays the user's
            draft = self.checkpoint_dir()
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            folder = Path(draft)
        if target.exists():  # left by a driver that died before it heard of it
            shutil.rmtree(target)
        os.rename(folder, target)
        self._drafts.remove(folder)
        return str(target)

    def close(self) -> None:
        with self._lock:  # a thread that the trainable left may be waiting for an answer
            self.closed = True
        for draft in self._drafts:
            shutil.rmtree(draft, ignore_errors=True)


def _run_class(cls: type[Any], config: dict[str, Any], session: Session) -> None:
    task, terms = session.assignment, session.terms
    trainable = _warm_or_new(cls, config)
    kept = False
    try:
        if task.checkpoint is not None:
            trainable.load_checkpoint(Path(task.checkpoint))

        def save(iteration: int) -> str:
            draft = session.checkpoint_dir()
            trainable.save_checkpoint(draft)
            return session.commit(draft, iteration)

        saved = session.iteration
        try:
            done = False
            while not done:
                metrics = _of_step(trainable.step())
                done = bool(metrics.pop("done", False))
                due = terms.every and (session.iteration + 1) % terms.every == 0
                folder = None
                if due or (done and terms.at_end and trainable.saves):
                    folder = session.checkpoint_dir()
                    trainable.save_checkpoint(folder)
                    saved = session.iteration + 1
                session.report(metrics, folder)
        finally:
            # A pause is useless without the state; a stop saves it only if that was asked for.
            wanted = session.decision == PAUSE or (session.decision == STOP and terms.at_end)
            if wanted and trainable.saves and saved < session.iteration:
                session.on_the_way_out = save(session.iteration)
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


# --- plain data ------------------------------------------------------------------------------------------------------

_PLAIN = frozenset({int, float, str, bool, type(None)})


def plain_metrics(metrics: dict[str, Any], objective: tuple[str, ...] = ()) -> dict[str, Any]:
    """The metrics as plain JSON values; a TypeError that names the first one that cannot be."""
    clean = {}
    for key, value in metrics.items():
        if type(key) is not str:
            raise TypeError(f"the name of a metric is a string, not {key!r}")
        clean[key] = value if type(value) in _PLAIN else _plain(value, key)
    for key in COUNTED:
        if key in clean:
            raise ValueError(f"{key!r} is counted by microtune: report it under another name")
    for key in objective:
        value = lookup(clean, key, 0)
        if type(value) is not float and type(value) is not int:
            raise TypeError(
                f"metric {key!r} is {value!r} ({type(value).__name__}), not a number: it is the run's objective; "
                "report float('nan') where it has no value"
            )
    return clean


def _plain(value: Any, where: str) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise TypeError(f"metric {where!r} is a dict whose keys are not all strings")
        return {key: _plain(item, f"{where}/{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}/{i}") for i, item in enumerate(value)]
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    single = getattr(value, "size", None) == 1 or (callable(getattr(value, "numel", None)) and value.numel() == 1)
    if single and callable(getattr(value, "item", None)):  # numpy has a size, torch a numel()
        item = value.item()
        # numpy's longdouble is its own item
        return _plain(float(item) if type(item) is type(value) else item, where)
    raise TypeError(f"metric {where!r} is a {type(value).__name__}: report numbers, strings, booleans, lists or dicts of these")


def _as_metrics(value: Any, terms: Terms, how: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if len(terms.metrics) == 1:
        return {terms.metrics[0]: value}
    raise TypeError(f"the trainable {how} {value!r}; with {len(terms.metrics)} metrics in the objective it must be a dict")


# --- sessions --------------------------------------------------------------------------------------------------------

_sessions: dict[int, Session] = {}  # by thread: the inline executors of two tuners may run side by side in one process


def _current() -> Session:
    session = _sessions.get(threading.get_ident())
    if session is not None:
        return session
    thread = threading.current_thread()  # perhaps one that a trainable has started
    own = [session for session in list(_sessions.values()) if thread not in session.strangers]
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


def _ended(trial_id: str) -> str:
    return f"trial {trial_id} is over: report() was called after its trainable returned, from a thread or a callback it left"


def _failure(error: BaseException) -> Failure:
    kind = "out_of_memory" if isinstance(error, MemoryError) else "error"
    message = "".join(traceback.format_exception_only(type(error), error)).strip()
    # The first frame is run_trial's own.
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    return Failure(kind, message, "".join(traceback.format_exception(type(error), error, frames)))
