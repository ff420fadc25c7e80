"""Ray Train inside a trial: what a trainer's workers report is what the trial reports.

Ray Train runs a controller and the workers in actors of their own. At each report a callback in the controller calls the
trial, and holds the controller up until the run has decided; where nobody answers, it ends the workers and the controller.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import Any, Protocol

import ray
from ray.train import Checkpoint, CheckpointConfig, Result, RunConfig, UserCallback

from microtune import checkpoint_dir, get_context, report

LOCAL = ("127.0.0.1", 0)  # Ray Train has the controller on the node of whoever calls `trainer.fit()`


class Trainer(Protocol):
    """Any trainer of Ray Train V2: TorchTrainer, XGBoostTrainer, ..."""

    run_config: RunConfig

    def fit(self) -> Result: ...


def fit(trainer: Trainer) -> Result:
    """`trainer.fit()` in a trial: each `ray.train.report` of its workers is one of the trial, with its checkpoint.

    The metrics are those of the worker of rank 0. Returns and raises what `trainer.fit()` does, and raises TrialHalted when
    the trial is to pause or stop: by then the workers have ended. A loop that goes on from `microtune.get_checkpoint()` is
    given it by `train_loop_config`. Unless the trainer's RunConfig has a storage_path, Ray Train stores in the trial's folder,
    one checkpoint at a time, and that is removed in the end: microtune has a copy.

    Ray Tune's TuneReportCallback does not wait for the decision and reports a checkpoint as the metric "checkpoint_path".
    """
    key = os.urandom(32)
    door = Listener(LOCAL, authkey=key)
    calls = _Calls(door.address, key)
    with _changed(trainer.run_config, calls):
        fitting = _Fitting(trainer, calls)
        fitting.start()
        try:
            while _answer(door):
                pass
        finally:
            door.close()  # who calls now hears that there will be no answer
            fitting.join()
    return fitting.outcome()


def _answer(door: Listener) -> bool:
    """Report what the next caller has to say. False when it is that training has ended."""
    try:
        caller = door.accept()
    except (AuthenticationError, EOFError, OSError):  # not one of ours
        return True
    with caller:
        said = caller.recv()
        if said is None:
            return False
        metrics, checkpoint = said
        if checkpoint is None:
            report(metrics)
        else:
            with checkpoint_dir() as draft:
                checkpoint.to_directory(draft)
                report(metrics, checkpoint=draft)
        caller.send("continue")
    return True


class _Calls(UserCallback):
    """Calls the trial. Travels to the controller, and is called there."""

    def __init__(self, address: Any, key: bytes) -> None:
        self._address = address
        self._key = key
        self._over = False

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None) -> None:
        if self._over:
            return
        try:
            self.say((metrics[0], checkpoint))
        except (EOFError, OSError):  # the trial leaves
            self._over = True
            controller: Any = ray.get_runtime_context().current_actor
            controller.abort.remote()  # what Ray Train itself does at Ctrl-C

    def say(self, words: tuple[dict[str, Any], Checkpoint | None] | None) -> None:
        with Client(self._address, authkey=self._key) as line:
            line.send(words)
            if words is not None:
                line.recv()


class _Fitting(threading.Thread):
    """`trainer.fit()` beside the trial's own thread, which reports. Not in it also because it would take over SIGINT there."""

    def __init__(self, trainer: Trainer, calls: _Calls) -> None:
        super().__init__(name="ray-train", daemon=True)
        self._trainer = trainer
        self._calls = calls
        self._result: Result | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._trainer.fit()
        except BaseException as error:
            self._error = error
        with suppress(EOFError, OSError):  # the trial has left already
            self._calls.say(None)

    def outcome(self) -> Result:
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result


@contextmanager
def _changed(config: RunConfig, calls: _Calls) -> Iterator[None]:
    """With the callback and a place for this attempt alone: where Ray Train finds an earlier run, it goes on with that."""
    trial = get_context()
    folder = trial.folder / "ray_train"
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was lost
    before = dict(vars(config))  # it may be the next trial's too
    config.callbacks = [*(config.callbacks or ()), calls]
    if config.storage_path == RunConfig().storage_path:
        config.storage_path, config.name = str(folder), str(trial.attempt)
        kept = config.checkpoint_config or CheckpointConfig()
        config.checkpoint_config = replace(kept, num_to_keep=kept.num_to_keep or 1)
    else:
        config.name = f"{config.name}-{trial.trial_id}-{trial.attempt}"
    try:
        yield
    finally:
        vars(config).clear()
        vars(config).update(before)
        shutil.rmtree(folder, ignore_errors=True)
