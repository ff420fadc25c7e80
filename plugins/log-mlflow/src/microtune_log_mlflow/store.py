"""Where MLflow keeps its runs, and how it is reached."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from microtune import Facts, RunError


def place(tracking_uri: str | None) -> str | None:
    """What was asked for, or what the program or MLFLOW_TRACKING_URI has set; None: the run's own store."""
    is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    return tracking_uri or (mlflow.get_tracking_uri() if is_set else None)


def connect(run: Facts, uri: str | None) -> tuple[MlflowClient, str | None]:
    """A client of its own, beside whatever the program does with MLflow; and where artifacts go, None: where MLflow likes."""
    artifacts = None
    if uri is None:
        folder = os.path.join(os.path.realpath(run.path), "mlflow")
        uri, artifacts = _own(folder), Path(folder, "artifacts").as_uri()
    with _quiet():
        return MlflowClient(tracking_uri=uri), artifacts


def experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """The id of the experiment of this name, a new one if there is none."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return client.create_experiment(name, artifacts)
    if found.lifecycle_stage != "active":
        raise RunError(
            f"logger 'mlflow': experiment {name!r} was deleted: restore it "
            f"(`mlflow experiments restore -x {found.experiment_id}`), or name another one (experiment=...)"
        )
    return str(found.experiment_id)


@contextmanager
def refused(uri: str) -> Iterator[None]:
    """What MLflow says against it, as one error that names the place."""
    try:
        yield
    except MlflowException as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(
            f"logger 'mlflow': the tracking store {uri} did not take it: {told[0].rstrip('.')}. "
            f"See that it runs and may be written, or name another one (tracking_uri=..., MLFLOW_TRACKING_URI)"
        ) from error


def _own(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "mlflow.db")
    if os.path.realpath(path) != path:  # a run that came from somewhere may hold a link to what is not its own
        raise RunError(
            f"{path!r} leads out of the run, to {os.path.realpath(path)!r}: put a folder in the place of the link"
        )
    if not os.path.exists(path):
        with closing(sqlite3.connect(path)) as database:
            # A quarter of the time for each write, and `mlflow ui` reads meanwhile; the file remembers it.
            database.execute("PRAGMA journal_mode=WAL")
    return f"sqlite:///{path}"


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow tells on stderr, where the console is, that it creates the tables of a new store."""
    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic.runtime.migration")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
