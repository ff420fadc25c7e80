"""Runs of fakes only, opened in the test's own folder and closed when it ends."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune import Assignment, Terms, checkpoint_iteration, run_trial
from microtune.journal import Reader
from microtune.testing import FakeExecutor, FakeSearcher, ScriptedExecutor

# A process inherits what its parent ignores, and nohup or a shell's & may have had the tests ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

X = {"x": mt.uniform(0, 1)}


def two_steps(config):
    for step in (1, 2):
        mt.report(loss=config["x"] / step)


@pytest.fixture
def tuner(tmp_path: Path) -> Callable[..., mt.Tuner]:
    """A Tuner with fakes for every role, but for what the test gives."""

    def make(trainable: Any = two_steps, **given: Any) -> mt.Tuner:
        fakes = {
            "param_space": X, "metric": "loss", "mode": "min", "searcher": FakeSearcher(), "executor": FakeExecutor(),
            "loggers": [], "storage_path": tmp_path, "name": "run", "seed": 1,
        }  # fmt: skip
        return mt.Tuner(trainable, **{**fakes, **given})

    return make


@pytest.fixture
def restored(tmp_path: Path) -> Callable[..., mt.Tuner]:
    """The run of `tuner`, restored with new fakes."""

    def make(trainable: Any = two_steps, folder: Path = tmp_path / "run", **given: Any) -> mt.Tuner:
        fakes = {"searcher": FakeSearcher(), "executor": FakeExecutor(), "loggers": []}
        return mt.Tuner.restore(folder, trainable, **{**fakes, **given})

    return make


@pytest.fixture
def opened() -> Iterator[Callable[[mt.Tuner], Any]]:
    """Open a run that the test drives with `step()`."""
    runs = []

    def start(tuner: mt.Tuner) -> Any:
        runs.append(tuner.open())
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def scripted(tuner, opened) -> Callable[..., tuple[Any, ScriptedExecutor]]:
    """A run whose executor reports what the test tells it to; its first turn is done."""

    def start(*, slots: int = 1, **given: Any) -> tuple[Any, ScriptedExecutor]:
        executor = ScriptedExecutor(slots=slots)
        run = opened(tuner(executor=executor, **given))
        run.step()
        return run, executor

    return start


@pytest.fixture
def journalled(tmp_path: Path) -> Callable[..., list[Any]]:
    """What the run's journal holds, of these kinds: as others see it, so only what is committed."""

    def read(*kinds: str, folder: Path = tmp_path / "run") -> list[Any]:
        reader = Reader(str(folder))
        events = list(reader.events(kinds=kinds))
        reader.close()
        return events

    return read


@pytest.fixture
def python() -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run this code in another process, to its end."""

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", textwrap.dedent(code)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[Any], Path]:
    """The folder of a run as it would be left if its process was killed now. The run itself may go on."""

    def copy(run: Any) -> Path:
        image = tmp_path / f"killed-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(run.facts.path, image)
        return image

    return copy


class Side:
    """The kernel's side of one attempt of a trial: it runs one, and writes down each report."""

    def __init__(self, folder):
        self.folder = folder
        self.reports = []
        self.answering()

    def answering(self, *answers, metrics=("loss",), **terms):
        """From now on it gives these answers in turn, then "continue"."""
        self.answers = list(answers)
        self.terms = Terms(7, metrics, **terms)
        return self

    def exchange(self, metrics, iteration, checkpoint):
        self.reports.append((metrics, iteration, checkpoint and Path(checkpoint).name))
        return self.answers.pop(0) if self.answers else "continue"

    def run(self, trainable, config=None, *, attempt=1, checkpoint=None, trial_id="00003"):
        task = Assignment(
            trial_id, int(trial_id), attempt, config or {}, checkpoint and str(checkpoint), checkpoint_iteration(checkpoint),
            {"cpu": 1.0}, str(self.folder / trial_id),
        )  # fmt: skip
        return run_trial(trainable, task, self.terms, self.exchange)

    @property
    def metrics(self):
        return [metrics for metrics, _, _ in self.reports]

    def checkpoints(self, trial_id="00003"):
        """Everything in the trial's storage, hidden drafts included."""
        return sorted(path.name for path in (self.folder / trial_id / "checkpoints").glob("*"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL in this process's memory; what goes elsewhere then, journals above all, goes to the test's folder."""
    import fsspec

    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path))
    yield "memory://bucket/tune"
    memory = fsspec.filesystem("memory")
    if memory.exists("/bucket"):
        memory.rm("/bucket", recursive=True)


@pytest.fixture
def side(tmp_path):
    return Side(tmp_path)
