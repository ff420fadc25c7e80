"""A run whose process is killed with SIGKILL while events wait to be written, and then resumed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_log_mlflow import MLflowLogger

SECONDS = 120
STEPS = 6

_KILLED = (-1, -1)


def train(config: dict[str, Any]) -> None:
    for step in range(1, STEPS + 1):
        mt.report(loss=config["x"] / step)
        if (mt.get_context().number, step) == _KILLED:
            os.kill(os.getpid(), signal.SIGKILL)


def begin(path: str, trial: str, step: str) -> None:
    global _KILLED  # noqa: PLW0603
    _KILLED = (int(trial), int(step))
    tuner(path).fit()


def tuner(path: str | Path) -> mt.Tuner:
    return mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=8, seed=1, name="run",
        storage_path=path, searcher=FakeSearcher(), executor=FakeExecutor(workers=2), loggers=[MLflowLogger()],
    )  # fmt: skip


def resume(path: Path) -> mt.ResultGrid:
    plugins: dict[str, Any] = {"searcher": FakeSearcher(), "executor": FakeExecutor(workers=2)}
    return mt.Tuner.restore(path, train, loggers=[MLflowLogger()], **plugins).fit()


def in_a_process_of_its_own(path: Path, trial: int, step: int) -> subprocess.CompletedProcess[str]:
    code = "import sys, test_killed; test_killed.begin(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(
        [sys.executable, "-c", code, str(path), str(trial), str(step)], env=environment, timeout=SECONDS, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def check(results: mt.ResultGrid, uri: str | None = None, experiment: str = "run") -> None:
    """As the journal has it, each once."""
    client = MlflowClient(uri or f"sqlite:///{results.path}/mlflow/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    trials = {run.data.tags["microtune.trial"]: run for run in runs if "microtune.trial" in run.data.tags}
    assert (len(trials), len(runs)) == (len(results), len(results) + 1)  # and one parent
    assert Counter(run.info.status for run in runs) == {"FINISHED": len(runs)}
    for each in results:
        run = trials[each.id]
        assert run.data.params == {"x": str(each.config["x"])}
        history = sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss"))
        assert history == [(row["training_iteration"], row["loss"]) for row in each.history]


@pytest.mark.parametrize(("trial", "step"), [(0, 1), (5, 4)])
def test_each_result_is_there_once_and_each_trial_is_one_run(trial: int, step: int, tmp_path: Path) -> None:
    killed = in_a_process_of_its_own(tmp_path, trial, step)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    check(resume(tmp_path / "run"))


@pytest.mark.parametrize("turns", [3, 15])
def test_a_run_that_was_ended_in_order_before_it_was_over_goes_on(turns: int, tmp_path: Path) -> None:
    run = tuner(tmp_path).open()
    for _ in range(turns):
        run.step()
    run.close()
    check(resume(tmp_path / "run"))


def test_a_folder_that_was_renamed_goes_on_in_its_runs_and_nothing_is_said_on_the_terminal(tmp_path: Path) -> None:
    ran = in_a_process_of_its_own(tmp_path, -1, -1)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    renamed = (tmp_path / "run").rename(tmp_path / "renamed")
    check(resume(renamed))


@pytest.mark.parametrize("queue", [0, 10_000])
def test_a_server_that_goes_away_at_any_request_gets_the_rest_from_a_resume(
    queue: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the request, or after it, when nobody hears its answer."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for seed in range(10):
        name, plugins = f"run {seed}", {"searcher": FakeSearcher(), "executor": FakeExecutor(workers=2)}
        with monkeypatch.context() as patch:
            goes_away(patch, after=random.Random(seed).randint(1, 30), answered=seed % 2 == 0)
            mt.Tuner(
                train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=3, seed=1, name=name,
                storage_path=tmp_path, loggers=[MLflowLogger(tracking_uri=uri, queue=queue)], **plugins,
            ).fit()  # fmt: skip
        plugins = {"searcher": FakeSearcher(), "executor": FakeExecutor(workers=2)}
        restored = mt.Tuner.restore(tmp_path / name, train, loggers=[MLflowLogger(tracking_uri=uri)], **plugins)
        check(restored.fit(), uri, name)


def goes_away(patch: pytest.MonkeyPatch, *, after: int, answered: bool) -> None:
    """Of the requests that write about trials."""
    left = [after]

    def failing(request: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: MlflowClient, *arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                return request(self, *arguments, **more)
            if left[0] == -1 and not answered:
                request(self, *arguments, **more)
            raise MlflowException("no network")

        return call

    for name in ("create_run", "log_batch", "set_terminated", "update_run"):
        patch.setattr(MlflowClient, name, failing(getattr(MlflowClient, name)))
