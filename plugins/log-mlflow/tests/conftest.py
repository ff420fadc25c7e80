"""MLflow on this machine: nothing goes to the network, no fsync, and its own deprecated imports are its own affair."""

from __future__ import annotations

import os
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"


@event.listens_for(Engine, "connect")
def _no_fsync(connection: Any, record: Any) -> None:
    """The power does not go in a test; a process that is killed loses nothing by it."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(autouse=True)
def _no_place_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)  # where MLflow makes its folder mlruns
