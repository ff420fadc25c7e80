"""A course: one ASHA, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Objective, Pause, Result, Resume, Stop, Trial
from microtune_schedule_asha import ASHA


def facts(objective: Objective | None = None, seed: int = 0) -> Facts:
    return Facts(
        id="", name="", path="", seed=seed, space=None, objective=objective or Objective("loss", "min"), num_samples=None,
        limits=None, resources={}, trainable=None,
    )  # fmt: skip


class Course:
    def __init__(self, objective: Objective | None = None, seed: int = 0, **options: Any) -> None:
        self.options = options
        self.asha = ASHA(**options)
        self.run = facts(objective, seed)
        self.asha.setup(run=self.run)
        self.trials: dict[str, Trial] = {}
        self.tells: list[tuple[str, tuple[Any, ...]]] = []

    def start(self) -> str:
        number = len(self.trials)
        trial = Trial(f"{number:05d}", number, {}, state="RUNNING")
        self._tell("on_start", trial)
        return trial.id

    def tell(self, trial_id: str, at: float, loss: Any = None, **metrics: Any) -> Trial:
        """A result on which nobody decides."""
        assert self.trials[trial_id].state == "RUNNING"
        metrics = metrics if loss is None else {"loss": loss, **metrics}
        trial = self.trials[trial_id]._replace(iteration=int(at))
        self._tell("on_result", trial, Result(metrics, int(at), float(at), 0.0))
        return trial

    def report(self, trial_id: str, at: float, loss: Any = None, **metrics: Any) -> str:
        """What the trial does after this result: "continue", "pause" or "stop"."""
        trial = self.tell(trial_id, at, loss, **metrics)
        decision = self.asha.decide(trial=trial)
        if type(decision) is Stop:
            self.end(trial_id, "STOPPED")
        elif type(decision) is Pause:
            self._tell("on_pause", trial._replace(state="PAUSED"))
        return type(decision).__name__.lower()

    def promote(self) -> str | None:
        """Resume whom ASHA suggests."""
        answer = self.asha.suggest()
        if answer is None:
            return None
        assert answer == Resume(answer.trial_id), "a promoted trial goes on with its own config and checkpoint"
        self.resume(answer.trial_id)
        return answer.trial_id

    def resume(self, trial_id: str) -> None:
        trial = self.trials[trial_id]
        assert trial.state == "PAUSED"
        self._tell("on_start", trial._replace(state="PENDING", starts=trial.starts + 1))
        self.trials[trial_id] = self.trials[trial_id]._replace(state="RUNNING")

    def end(self, trial_id: str, state: str = "COMPLETED") -> None:
        self._tell("on_end", self.trials[trial_id]._replace(state=state))

    def replayed(self) -> ASHA:
        """Another ASHA that heard the same tells and was asked nothing."""
        other = Course(self.run.objective, self.run.seed, **self.options)
        for hook, arguments in self.tells:
            other._tell(hook, *arguments)
        return other.asha

    def _tell(self, hook: str, trial: Trial, *result: Result) -> None:
        self.tells.append((hook, (trial, *result)))
        self.trials[trial.id] = trial
        arguments = {"run": self.run, "trial": trial, "result": result[0] if result else None}
        method = getattr(self.asha, hook)
        method(**{name: arguments[name] for name in inspect.signature(method).parameters})


@pytest.fixture
def course() -> type[Course]:
    return Course
