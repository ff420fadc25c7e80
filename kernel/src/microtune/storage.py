"""Where runs lie, and finding one by its path or its name."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile

from microtune.faults import RunError
from microtune.options import did_you_mean
from microtune.results import ResultGrid
from microtune.schema import FILE
from microtune.trial_result import TrialResult


def storage_path(given: str | os.PathLike[str] | None = None) -> str:
    """The folder that the runs lie in."""
    default = os.environ.get("MICROTUNE_STORAGE") or os.path.join("~", "microtune_runs")
    return os.path.abspath(os.path.expanduser(default if given is None else given))


def passing_storage() -> str:
    """A folder for a run in memory: made when first used, and gone when the process ends, as its journal is."""
    folder = os.path.join(tempfile.gettempdir(), f"microtune-{secrets.token_hex(4)}")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def runs_in(storage: str) -> list[str]:
    """The folders of the runs in a storage folder."""
    if not os.path.isdir(storage):
        return []
    return sorted(entry.path for entry in os.scandir(storage) if os.path.exists(os.path.join(entry.path, FILE)))


def find_run(text: str) -> str:
    """The folder of a run, given by its path or by its name in the default storage."""
    storage = storage_path()
    for path in (os.path.abspath(os.path.expanduser(text)), os.path.join(storage, text)):
        if os.path.exists(os.path.join(path, FILE)):
            return path
    near = did_you_mean(text, map(os.path.basename, runs_in(storage)))
    raise RunError(f"there is no run {text!r}, neither as a folder nor in {storage}{near}; `microtune ls` lists the runs")


def open_run(text: str) -> ResultGrid:
    """The run of that path or name. RunError where it ended before it began: a plugin that refused, say."""
    grid = ResultGrid(find_run(text))
    if not len(grid) and not grid.settings:  # reading the trials reads the settings too
        raise RunError(f"the run in {grid.path!r} ended before it began, and holds nothing: start it anew")
    return grid


def find_trial(grid: ResultGrid, text: str) -> TrialResult:
    """A trial by its id or its number."""
    for trial in grid:
        if text in (trial.id, str(trial.number)):
            return trial
    raise RunError(f"the run in {grid.path!r} has no trial {text!r}; `microtune show {grid.path}` lists its trials")
