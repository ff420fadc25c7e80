from __future__ import annotations

import atexit
import functools
import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from microtune import ResultGrid, Tuner
from microtune.testing import LoggerContract

Rows = list[tuple[str, int, Any]]


class TestContract(LoggerContract):
    plugin = "mlflow"

    @pytest.fixture(autouse=True)
    def _at_once(self, request: pytest.FixtureRequest) -> None:
        """These copy the folder of a run that goes on, or leave a logger without its teardown; see test_killed.py too."""
        if any(word in request.node.name for word in ("killed", "twice")):
            self.options = {"queue": 0}  # type: ignore[misc]

    def tuner(self, trainable: Callable[..., Any], path: Path, *, workers: int = 2, **more: Any) -> Tuner:
        """With an empty store that is there already: MLflow takes a second to make one."""
        if more.get("loggers") != ():
            (path / "run" / "mlflow").mkdir(parents=True, exist_ok=True)
            shutil.copy(empty_store(), path / "run" / "mlflow" / "mlflow.db")
        return super().tuner(trainable, path, workers=workers, **more)

    def results(self, path: Path) -> Rows:
        """A result is a value of time_total_s, which each has."""
        client = MlflowClient(f"sqlite:///{path}/mlflow/mlflow.db")
        found: Rows = []
        experiments = [each.experiment_id for each in client.search_experiments()]
        for run in client.search_runs(experiments, "tags.`microtune.kind` = 'trial'"):
            trial, values = run.data.tags["microtune.trial"], {}
            if "loss" in run.data.metrics:
                history = client.get_metric_history(run.info.run_id, "loss")
                values = {each.step: each.value for each in history}
                assert len(values) == len(history)
            if "time_total_s" in run.data.metrics:
                history = client.get_metric_history(run.info.run_id, "time_total_s")
                found += [(trial, each.step, values.get(each.step)) for each in history]
        return found

    def compare(self, written: Rows | None, path: Path) -> None:
        """MLflow keeps no order within a trial, a largest number for infinity, and no None."""
        assert written is not None
        histories = ResultGrid(path).histories().items()
        journal = [(trial, row["training_iteration"], row.get("loss")) for trial, rows in histories for row in rows]
        assert sorted(map(shown, written)) == sorted(map(shown, journal))


@functools.cache
def empty_store() -> Path:
    path = Path(tempfile.mkdtemp(), "mlflow.db")
    atexit.register(shutil.rmtree, path.parent)
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


def shown(row: tuple[str, int, Any]) -> tuple[str, int, str]:
    trial, step, loss = row
    if isinstance(loss, float) and math.isinf(loss):
        loss = math.copysign(sys.float_info.max, loss)
    return trial, int(step), "" if loss in (None, "") else repr(float(loss))
