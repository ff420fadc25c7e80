"""A study as a run. Nothing is unpickled: in Optuna's databases and journal files everything is JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from microtune import OptionError, PastTrial, Result, RunError, Space, record_run
from microtune_convert_optuna.distributions import space_of
from microtune_convert_optuna.storage import opened, shown
from microtune_convert_optuna.writing import MARK

_STATES = {
    TrialState.COMPLETE: "COMPLETED",
    TrialState.PRUNED: "STOPPED",
    TrialState.FAIL: "FAILED",
    TrialState.RUNNING: "PENDING",
}
_COUNTED = ("training_iteration", "time_total_s")


def read(source: str, path: str, *, study: str | None = None) -> None:
    """Write the study at `source` (a database's address, an SQLite file, or Optuna's journal, NAME.log) as a run.

    study: the study's name; by default the run's own, or the only one there is
    """
    with opened(source, create=False) as storage:
        names = optuna.get_all_study_names(storage)
        found = optuna.load_study(study_name=_chosen(names, study, source), storage=storage)
        mark = found.user_attrs.get(MARK, {})
        was_run = isinstance(mark, dict) and mark.keys() >= {"metric", "mode", "param_space"}
        trials = [trial for trial in found.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
        metrics = _metrics(found, mark if was_run else {})
        modes = ["max" if each == StudyDirection.MAXIMIZE else "min" for each in found.directions]
        name = found.study_name
    if was_run:
        space = Space.from_json(mark["param_space"])
    else:
        space = space_of([trial.distributions for trial in trials if trial.distributions])
    record_run(
        path, metric=metrics, mode=modes, param_space=space, source=f"the Optuna study {name!r} in {shown(source)}",
        trials=_past(trials, metrics, was_run=was_run),
    )  # fmt: skip


def _chosen(names: Sequence[str], study: str | None, source: str) -> str:
    there = f"{shown(source)} has the studies {', '.join(map(repr, names))}" if names else f"{shown(source)} has no study"
    if study is not None:
        if study not in names:
            raise OptionError(f"there is no study {study!r}: {there}")
        return study
    if not names:
        raise RunError(there)
    if len(names) > 1:
        raise OptionError(f"{there}: say which one, --from optuna:study=NAME")
    return names[0]


def _metrics(study: Study, mark: dict[str, Any]) -> list[str]:
    count = len(study.directions)
    named = mark.get("metric", study.metric_names)
    return list(named) if named else ["value"] if count == 1 else [f"value_{i}" for i in range(count)]


def _past(trials: Sequence[FrozenTrial], metrics: Sequence[str], *, was_run: bool) -> Iterator[PastTrial]:
    # Iterations count from 1; an objective function of Optuna counts as it likes, mostly from 0.
    first = min((step for trial in trials for step in trial.intermediate_values), default=1)
    for trial in trials:
        attrs = trial.user_attrs
        state = _STATES[trial.state]
        if was_run and attrs.get("state") in ("COMPLETED", "STOPPED", "FAILED"):
            state = attrs["state"]
        unsaid = "pruned in Optuna" if state == "STOPPED" else trial.system_attrs.get("fail_reason")
        reason = attrs.get("reason") if was_run else unsaid
        error = attrs.get("error", reason)
        yield PastTrial(
            config=attrs.get("config", trial.params) if was_run else trial.params,
            state=state,
            results=_results(trial, metrics, max(0, 1 - first), was_run=was_run),
            reason=None if reason is None else str(reason),
            error=None if error is None or state != "FAILED" else str(error),
            began=_seconds(trial.datetime_start),
            ended=_seconds(trial.datetime_complete),
            id=attrs.get("id") if was_run else None,
            finished=trial.state == TrialState.COMPLETE,
        )


def _results(trial: FrozenTrial, metrics: Sequence[str], shift: int, *, was_run: bool) -> list[Result]:
    """An intermediate value is a result, and so is the value that the objective function returned, if it is another one.

    Optuna notes no times between the first and the last: they are spread evenly.
    """
    extra = _extra(trial.user_attrs, was_run)
    steps: list[tuple[int, dict[str, Any]]] = [
        (step + shift, {metrics[0]: value}) for step, value in sorted(trial.intermediate_values.items())
    ]
    if trial.state == TrialState.COMPLETE or (trial.values is not None and not steps):
        final = dict(zip(metrics, trial.values, strict=True))
        if not steps or steps[-1][1] != final:
            iteration = int(extra.get("training_iteration", 1)) if was_run else 1
            steps.append((max(iteration, steps[-1][0] + 1) if steps else max(1, iteration), final))
    if not steps:
        return []
    seconds = float(extra.get("time_total_s", _span(trial))) if was_run else _span(trial)
    steps[-1] = (steps[-1][0], {**{key: value for key, value in extra.items() if key not in _COUNTED}, **steps[-1][1]})
    began = _seconds(trial.datetime_start) or 0.0
    share = [(i + 1) / len(steps) for i in range(len(steps))]
    return [
        Result(measured, iteration, seconds * part, began + _span(trial) * part)
        for (iteration, measured), part in zip(steps, share, strict=True)
    ]


def _extra(attrs: Mapping[str, Any], was_run: bool) -> dict[str, Any]:
    """What a user measured beside the objective. Of a study that was a run that is what `write` put there."""
    if was_run:
        return {key.removeprefix("metrics/"): value for key, value in attrs.items() if key.startswith("metrics/")}
    return {key: value for key, value in attrs.items() if isinstance(value, (int, float, str)) and key not in _COUNTED}


def _span(trial: FrozenTrial) -> float:
    began, ended = _seconds(trial.datetime_start), _seconds(trial.datetime_complete)
    return 0.0 if began is None or ended is None else max(0.0, ended - began)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
