"""A run as a study: one trial for each of its trials, with what Optuna has a place for, and the rest as user attributes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from microtune import OptionError, ResultGrid, RunError, Space, SpaceError, TrialResult
from microtune_convert_optuna.distributions import Dimension, dimensions
from microtune_convert_optuna.storage import opened, shown

MARK = "microtune"  # the user attribute of a study that was a run


def write(grid: ResultGrid, target: str | None, *, study: str | None = None) -> None:
    """Add the run to the studies in `target`: a database's address, an SQLite file, or Optuna's journal (NAME.log).

    study: the study's name; by default the run's own, or the only one there is

    A study of that name that is there already is left as it is: RunError.
    """
    if target is None:
        raise OptionError("optuna: say where the study goes: microtune export RUN --to optuna sqlite:///studies.db")
    name = study or os.path.basename(grid.path)
    objective = grid.objective
    trials = list(_trials(grid))  # before anything is written
    with opened(target, create=True) as storage:
        try:
            directions = [StudyDirection.MAXIMIZE if mode == "max" else StudyDirection.MINIMIZE for mode in objective.modes]
            made = optuna.create_study(storage=storage, study_name=name, directions=directions)
        except DuplicatedStudyError as error:
            raise RunError(
                f"{shown(target)} has a study {name!r} already, which is left as it is: give another name, "
                f"--to optuna:study=NAME, or delete that one"
            ) from error
        try:
            made.set_metric_names(list(objective.metrics))
            made.set_user_attr(MARK, {**objective.to_json(), "param_space": grid.settings["param_space"]})
            made.add_trials(trials)
        except BaseException:
            optuna.delete_study(study_name=name, storage=storage)
            raise


class Life(NamedTuple):
    """What the journal says of a trial and its result does not."""

    began: float
    ended: float | None


def _trials(grid: ResultGrid) -> Iterator[FrozenTrial]:
    space = Space.from_json(grid.settings["param_space"])
    values = [_values(space, trial.config) for trial in grid]
    known = dimensions(space, values)
    histories, lives = grid.histories(), _lives(grid)
    for trial, found in zip(grid, values, strict=True):
        yield _trial(grid, trial, _state(grid, trial), lives[trial.id], found, known, histories.get(trial.id, []))


def _trial(
    grid: ResultGrid, trial: TrialResult, state: TrialState, life: Life, found: dict[str, Any],
    known: dict[str, Dimension], history: list[dict[str, Any]],
) -> FrozenTrial:  # fmt: skip
    objective = grid.objective
    params = {name: known[name].write(value) for name, value in found.items()}
    steps: dict[int, float] = {}
    if len(objective.metrics) == 1:  # with several Optuna has no place for them
        steps = {row["training_iteration"]: v for row in history if (v := objective.value(row)) is not None}
    values = None
    if state == TrialState.COMPLETE:
        values = [score if mode == "max" else -score for score, mode in _scored(grid, trial)]
    elif state == TrialState.PRUNED and steps:
        values = [steps[max(steps)]]
        values = None if math.isnan(values[0]) else values
    made = create_trial(
        state=state, values=values, params=params, distributions={name: known[name].distribution for name in params},
        user_attrs=_attributes(grid, trial, state, params), intermediate_values=steps,
    )  # fmt: skip
    made.datetime_start = _moment(life.began)
    made.datetime_complete = _moment(life.ended) if life.ended is not None and state.is_finished() else None
    return made


def _values(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """The parameters by name, but for those that lie outside of the space, which may have changed since."""
    try:
        flat = space.flatten(config)
    except SpaceError:
        return {}
    return {p.name: flat[p.name] for p in space.parameters() if p.name in flat and p.domain.contains(flat[p.name])}


def _state(grid: ResultGrid, trial: TrialResult) -> TrialState:
    """For Optuna PRUNED is who was cut short; who was stopped by a stop rule or at max_t is COMPLETE."""
    if trial.finished:
        measured = all(math.isfinite(score) for score, _ in _scored(grid, trial))
        return TrialState.COMPLETE if measured else TrialState.FAIL
    if trial.state == "STOPPED":
        return TrialState.PRUNED
    return TrialState.FAIL if trial.state == "FAILED" else TrialState.RUNNING


def _scored(grid: ResultGrid, trial: TrialResult) -> list[tuple[float, str]]:
    return list(zip(grid.objective.scores(trial.metrics), grid.objective.modes, strict=True))


def _attributes(grid: ResultGrid, trial: TrialResult, state: TrialState, params: dict[str, Any]) -> dict[str, Any]:
    """What Optuna has no place for. `config` only where the parameters do not say it all, `reason` where the state does not."""
    said: dict[str, Any] = {"id": trial.id, "state": trial.state}
    if trial.reason != trial.state.lower():
        said["reason"] = trial.reason
    if trial.error:
        said["error"] = trial.error
    if trial.config != params:
        said["config"] = trial.config
    own = grid.objective.metrics if state == TrialState.COMPLETE else ()
    measured = {f"metrics/{name}": value for name, value in _flat(trial.metrics, "") if name not in own}
    return {**said, **measured}


def _flat(metrics: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in metrics.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _lives(grid: ResultGrid) -> dict[str, Life]:
    lives: dict[str, Life] = {}
    for event in grid.events():
        if event.trial is None:
            continue
        if event.kind == "created" or (event.kind == "launched" and event.body["attempt"] == 1):
            lives[event.trial] = Life(event.at, None)
        elif event.kind == "ended":
            lives[event.trial] = lives[event.trial]._replace(ended=event.at)
    return lives


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at)  # noqa: DTZ006, local and without a zone, as Optuna has it
