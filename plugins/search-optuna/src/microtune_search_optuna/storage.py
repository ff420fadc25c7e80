"""The storage of the one study: in memory, and able to forget a trial that was only asked for."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

STUDY = 0  # the id of the one study; the id of a trial is its number


class Memory(BaseStorage):
    """What Optuna's own in-memory storage keeps, without its copies; a trial is replaced, never changed."""

    def __init__(self) -> None:
        self.trials: list[FrozenTrial] = []
        self.attrs: dict[str, Any] = {}  # the study's, in which samplers count
        self._name = ""
        self._directions: list[StudyDirection] = []

    def add(self, trial: FrozenTrial) -> int:
        trial.number = trial._trial_id = len(self.trials)
        self.trials.append(trial)
        return trial.number

    def replace(self, number: int, **changes: Any) -> None:
        trial = copy.copy(self.trials[number])
        for name, value in changes.items():
            setattr(trial, name, value)
        self.trials[number] = trial

    def rewind(self, trials: int, attrs: dict[str, Any]) -> None:
        """Be again as when there were so many trials and these attributes of the study."""
        del self.trials[trials:]
        self.attrs = attrs

    # --- what Optuna asks of a storage -------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        self._name, self._directions = study_name or "", list(directions)
        return STUDY

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        return self.add(create_trial(state=TrialState.RUNNING) if template_trial is None else copy.copy(template_trial))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self.trials[trial_id]

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return trial_number

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if states == (TrialState.WAITING,):  # asked before every trial; here nobody queues
            return []
        found = list(self.trials) if states is None else [trial for trial in self.trials if trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        trial = self.trials[trial_id]
        self.replace(
            trial_id,
            params={**trial.params, param_name: distribution.to_external_repr(param_value_internal)},
            distributions={**trial.distributions, param_name: distribution},
        )

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        self.replace(trial_id, state=state, **({} if values is None else {"values": list(values)}))
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self.replace(
            trial_id, intermediate_values={**self.trials[trial_id].intermediate_values, step: intermediate_value}
        )

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.replace(trial_id, user_attrs={**self.trials[trial_id].user_attrs, key: value})

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.replace(trial_id, system_attrs={**self.trials[trial_id].system_attrs, key: value})

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self.attrs

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self.attrs = {**self.attrs, key: value}

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    def get_study_id_from_name(self, study_name: str) -> int:
        return STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._name

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return {}

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        raise NotImplementedError

    def get_all_studies(self) -> list[Any]:
        raise NotImplementedError

    def delete_study(self, study_id: int) -> None:
        raise NotImplementedError
