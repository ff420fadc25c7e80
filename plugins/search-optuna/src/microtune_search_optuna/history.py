"""The study of a run, as the tells make it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState, create_trial

from microtune import Facts, Objective, Result
from microtune_search_optuna.quiet import quiet
from microtune_search_optuna.storage import Memory


class Study(optuna.Study):
    """A study that may be stopped outside of `optimize`, as samplers of finite spaces do once all has been tried."""

    exhausted = False

    def stop(self) -> None:
        self.exhausted = True


class History:
    """Every trial that was told, under the number that Optuna gives it."""

    def __init__(self, run: Facts, pruner: optuna.pruners.BasePruner | None = None) -> None:
        self.storage = Memory()
        self.objective = run.objective
        self.study = _study(run, self.storage, pruner)
        self.numbers: dict[str, int] = {}  # of the trials that are not over
        self.values: dict[str, list[float] | None] = {}  # of their last results; None where one is no finite number

    def start(
        self, trial_id: str, params: dict[str, Any], distributions: dict[str, BaseDistribution], attrs: dict[str, Any]
    ) -> None:
        started = create_trial(state=TrialState.RUNNING, params=params, distributions=distributions, system_attrs=attrs)
        self.numbers[trial_id] = self.storage.add(started)

    def restart(self, trial_id: str, iteration: int) -> None:
        """The trial goes on from this iteration: what it reported after it is of a line that was given up."""
        number = self.numbers[trial_id]
        before = self.storage.trials[number].intermediate_values
        self.storage.replace(number, intermediate_values={step: v for step, v in before.items() if step <= iteration})

    def move(self, trial_id: str, params: dict[str, Any], distributions: dict[str, BaseDistribution]) -> bool:
        """The trial goes on with these parameters; whether they are others."""
        number = self.numbers[trial_id]
        moved = self.storage.trials[number].params != params
        self.storage.replace(number, params=params, distributions=distributions)
        return moved

    def report(self, trial_id: str, result: Result, step: int) -> int:
        """Optuna has no steps where there are several objectives: only the last values count there."""
        number = self.numbers[trial_id]
        values = self.values[trial_id] = values_of(self.objective, result)
        if len(self.objective.metrics) == 1:
            value = float("nan") if values is None else values[0]
            self.storage.set_trial_intermediate_value(number, step, value)
        return number

    def annotate(self, trial_id: str, name: str, value: Any) -> None:
        self.storage.set_trial_user_attr(self.numbers[trial_id], name, value)

    def end(self, trial_id: str, state: TrialState) -> None:
        number = self.numbers.pop(trial_id)
        values = self.values.pop(trial_id, None)
        self.storage.replace(number, state=TrialState.RUNNING)  # whatever it passed for so far
        with quiet():
            self.study.tell(number, values if state == TrialState.COMPLETE else None, state)


def values_of(objective: Objective, result: Result) -> list[float] | None:
    """The metrics as they were reported; None where one is no finite number."""
    scores = objective.scores(result)
    if float("-inf") in scores:
        return None
    return [-score if mode == "min" else score for score, mode in zip(scores, objective.modes, strict=True)]


def _study(run: Facts, storage: Memory, pruner: optuna.pruners.BasePruner | None) -> Study:
    # Hyperband deals its brackets by the name of the study and the number of the trial.
    name = f"microtune {run.seed}"
    storage.create_new_study(_directions(run.objective.modes), name)
    return Study(name, storage, sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)


def _directions(modes: Sequence[str]) -> list[optuna.study.StudyDirection]:
    directions = optuna.study.StudyDirection
    return [directions.MINIMIZE if mode == "min" else directions.MAXIMIZE for mode in modes]
