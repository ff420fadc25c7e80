"""A stand-in for the kernel, small enough to be looked through: it launches, waits, decides and steers."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest

from microtune import Batch, Continue, Exited, Facts, Limits, Reported, Trial
from microtune_execute_local import LocalExecutor

PATIENCE = 30.0  # seconds, for anything: many times what it takes


class Stage:
    """One run of one trainable on a LocalExecutor."""

    def __init__(
        self, folder: Path, trainable: Any, *, limits: Limits | None = None, needs: dict[str, float] | None = None,
        checkpoints: dict[str, Any] | None = None, wakeup_fd: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.executor = LocalExecutor(**options)
        self.run = Facts(
            id="run", name="run", path=str(folder), seed=7, space=None, objective=SimpleNamespace(metrics=("loss",)),
            num_samples=1, limits=limits or Limits(), resources=needs or {"cpu": 1.0}, trainable=trainable,
            checkpoints=checkpoints or {}, wakeup_fd=wakeup_fd,
        )  # fmt: skip
        self.reports: list[Reported | Exited] = []
        self.trials: dict[str, Trial] = {}
        self.slots = 0
        self.decide: Callable[[Reported], Any] = lambda report: Continue()
        self.executor.setup(self.run)
        self.wait(0)

    def launch(self, config: dict[str, Any] | None = None, *, again: Trial | None = None, **fields: Any) -> Trial:
        number = len(self.trials)
        trial = again or Trial(f"t{number}", number, config or {}, folder=str(self.folder / "trials" / f"t{number}"))
        trial = trial._replace(attempt=trial.attempt + 1, **fields)
        self.trials[trial.id] = trial
        self.executor.launch(self.run, trial)
        return trial

    def wait(self, seconds: float = PATIENCE) -> Batch:
        batch = self.executor.wait(self.run, until=time.time() + seconds)
        self.reports += batch.reports
        self.slots = batch.slots
        return batch

    def turn(self) -> None:
        """Wait for reports and answer each."""
        batch = self.wait()
        leaving = {report.trial_id for report in batch.reports if isinstance(report, Exited)}
        for report in batch.reports:
            if isinstance(report, Reported) and report.trial_id not in leaving:
                self.steer(report.trial_id, self.decide(report))

    def steer(self, trial_id: str, decision: Any) -> None:
        self.executor.steer(self.run, self.trials[trial_id], decision)

    def until(self, met: Callable[[], Any]) -> Any:
        """Take turns until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not (answer := met()):
            assert time.monotonic() < deadline, f"it did not come to that: {self.reports[-5:]}"
            self.turn()
        return answer

    def exit_of(self, trial: Trial) -> Exited:
        """How this attempt left, once it has."""
        return self.until(
            lambda: next((r for r in self.reports if isinstance(r, Exited) and r[:2] == (trial.id, trial.attempt)), None)
        )

    def results_of(self, trial: Trial) -> list[Reported]:
        return [r for r in self.reports if isinstance(r, Reported) and r.trial_id == trial.id]

    def run_all(self, configs: list[dict[str, Any]]) -> list[Trial]:
        """All of these, as many at a time as there are slots."""
        trials: list[Trial] = []
        before = self.ended()
        while self.ended() - before < len(configs):
            while len(trials) < len(configs) and len(trials) - (self.ended() - before) < self.slots:
                trials.append(self.launch(configs[len(trials)]))
            self.turn()
        return trials

    def ended(self) -> int:
        return sum(isinstance(report, Exited) for report in self.reports)

    def close(self, error: BaseException | None = None) -> None:
        self.executor.teardown(self.run, error)


@pytest.fixture(autouse=True)
def by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    """A worker cannot import a test module by its name, so what is defined in one travels with its code."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Text in the environment of every process that the test starts. None of them outlives it."""
    mark = f"MICROTUNE_TEST={uuid.uuid4()}"
    monkeypatch.setenv(*mark.split("="))
    yield mark
    wait_for(lambda: not processes(mark))


@pytest.fixture
def stage(tmp_path: Path, mark: str) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def set_up(trainable: Any, **more: Any) -> Stage:
        stages.append(Stage(tmp_path, trainable, **more))
        return stages[-1]

    yield set_up
    for each in stages:
        each.close()


def processes(mark: str) -> set[int]:
    """The processes with this text in their environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
            except OSError:  # it has just ended
                pass
    return found


def wait_for(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def alive(mark: str) -> Callable[[], set[int]]:
    return lambda: processes(mark)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], None]:
    return wait_for
