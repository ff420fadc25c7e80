"""What the contract of executors is run on: its capabilities, a spy, a scheduler, and a look at what is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from microtune import (
    Batch,
    Continue,
    Exited,
    Facts,
    Modifier,
    Pause,
    Reported,
    Result,
    ResultGrid,
    Resume,
    Trial,
    Tuner,
    hookimpl,
    uniform,
)
from microtune.testing.contract import Contract, finish
from microtune.testing.fakes import FakeLogger, FakeSearcher


class Spy(Modifier):
    """An executor in front of an executor, which remembers the batches."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.batches: list[list[Reported | Exited]] = []

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch | None:
        batch = super().wait(run, until)
        if batch is not None and batch.reports:
            self.batches.append(batch.reports)
        return batch


class PausesOnce:
    """A scheduler that pauses each trial at its second iteration, and resumes it when there is room."""

    def __init__(self) -> None:
        self._paused: list[str] = []

    @hookimpl
    def suggest(self) -> Resume | None:
        return Resume(self._paused[0]) if self._paused else None

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts > 1:
            self._paused.remove(trial.id)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        if trial.starts == 1 and result.training_iteration == 2:
            self._paused.append(trial.id)

    @hookimpl
    def decide(self, trial: Trial, result: Result) -> Pause | None:
        return Pause("once") if trial.id in self._paused else None


class ExecutorBench(Contract):
    """What any executor keeps. Its capabilities:

    slots: how many trials it holds at once with these options, at least.
    processes: a trial has a process of its own, whose death is not the run's.
    kills: a trial that does not leave is killed, with its child processes, and time limits are kept.
    limited: resources that can never be had are refused.
    virtual_time: its clock does not follow the wall's.
    deterministic: two equal runs report the same at the same time.
    """

    role = "executor"
    slots: ClassVar[int] = 1
    processes: ClassVar[bool] = False
    kills: ClassVar[bool] = False
    limited: ClassVar[bool] = False
    virtual_time: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False

    def needs(self, capability: bool, name: str) -> None:
        if not capability:
            pytest.skip(f"{self.plugin_class().__name__} does not claim: {name}")

    def tuner(self, trainable: Any, path: Path, *, space: dict[str, Any] | None = None, **more: Any) -> Tuner:
        given = {
            "metric": "loss", "mode": "min", "num_samples": 1, "seed": 1, "storage_path": path, "name": "run", "loggers": (),
            "searcher": FakeSearcher(), "executor": self.make(), **more,
        }  # fmt: skip
        return Tuner(trainable, param_space=space or {"x": uniform(0, 1)}, **given)

    def fit(self, trainable: Any, path: Path, **more: Any) -> ResultGrid:
        return finish(self.tuner(trainable, path, **more))

    @contextmanager
    def opened(
        self, trainable: Any, path: Path, wakeup_fd: int | None = None, **more: Any
    ) -> Iterator[tuple[Spy, Facts]]:
        """An executor that is set up and has nothing to do; call its hooks through `spy.inner`."""
        spy = Spy(self.make())
        run = self.tuner(trainable, path, executor=spy, **more).open(wakeup_fd)
        try:
            yield spy, run.facts
        finally:
            run.close()


def set_going(spy: Spy, run: Facts) -> None:
    """Launch a trial and answer its first report, after which it does not report again."""
    trial = Trial("00000", 0, {"seconds": 3.0}, "RUNNING", attempt=1, folder=os.path.join(run.path, "trials", "00000"))
    spy.inner.launch(run=run, trial=trial)
    end = time.monotonic() + 60
    while not spy.inner.wait(run=run, until=run.now + 1).reports:
        assert time.monotonic() < end, "the trial never reported"
    spy.inner.steer(run=run, trial=trial, decision=Continue())


def failures(logger: FakeLogger) -> list[str]:
    """The class of every failure, retried or not."""
    return [event.body["failure"]["kind"] for event in logger.events if event.body.get("failure")]


def children() -> set[int]:
    """The processes that this one has started; on a system without /proc none is seen."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        state = _stat(entry)
        if state and int(state[1]) == os.getpid():
            found.add(int(entry.parent.name))
    return found


def gone(pid: int) -> bool:
    """Whether that process has ended, or does so within seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        state = _stat(Path(f"/proc/{pid}/stat"))
        if not state or state[0] == "Z":  # dead, and not yet buried by whoever inherited it
            return True
        time.sleep(0.01)
    return False


def _stat(entry: Path) -> list[str]:
    """State, parent, ...: what follows the name, which may hold spaces and brackets."""
    try:
        return entry.read_text().rpartition(")")[2].split()
    except OSError:
        return []
