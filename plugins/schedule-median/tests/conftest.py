"""A jury: one Median, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Objective, Result, Stop, Trial
from microtune_schedule_median import Median


def facts(objective: Objective) -> Facts:
    return Facts(
        id="", name="", path="", seed=0, space=None, objective=objective, num_samples=None, limits=None, resources={},
        trainable=None,
    )  # fmt: skip


class Jury:
    def __init__(self, objective: Objective | None = None, **options: Any) -> None:
        self.options = options
        self.median = Median(**options)
        self.run = facts(objective or Objective("loss", "min"))
        self.median.setup(run=self.run)
        self.trials: dict[str, Trial] = {}
        self.tells: list[tuple[Any, ...]] = []

    def start(self) -> str:
        number = len(self.trials)
        trial = Trial(f"{number:05d}", number, {}, state="RUNNING", attempt=1)
        self._tell("on_start", trial)
        return trial.id

    def tell(self, trial_id: str, at: float, loss: Any = None, **metrics: Any) -> Trial:
        """A result on which nobody decides."""
        metrics = metrics if loss is None else {"loss": loss, **metrics}
        trial = self.trials[trial_id]._replace(iteration=int(at))
        self._tell("on_result", trial, Result(metrics, int(at), float(at), 0.0))
        return trial

    def report(self, trial_id: str, at: float, loss: Any = None, **metrics: Any) -> bool:
        """Whether the trial is stopped at this result."""
        decision = self.median.decide(trial=self.tell(trial_id, at, loss, **metrics))
        if type(decision) is Stop:
            self.end(trial_id, "STOPPED", decision.reason)
        return type(decision) is Stop

    def curve(self, *losses: float, state: str = "COMPLETED") -> str:
        """A trial with these losses at steps 1, 2, ..., which ends then, if it is not stopped before."""
        trial_id = self.start()
        for t, loss in enumerate(losses, 1):
            if self.report(trial_id, t, loss):
                return trial_id
        self.end(trial_id, state)
        return trial_id

    def resume(self, trial_id: str) -> None:
        trial = self.trials[trial_id]
        self._tell("on_start", trial._replace(starts=trial.starts + 1))

    def end(self, trial_id: str, state: str = "COMPLETED", reason: str | None = None) -> None:
        self._tell("on_end", self.trials[trial_id]._replace(state=state, reason=reason))

    def replayed(self) -> Median:
        """Another Median that heard the same tells and was asked nothing."""
        other = Jury(self.run.objective, **self.options)
        for hook, *arguments in self.tells:
            other._tell(hook, *arguments)
        return other.median

    def _tell(self, hook: str, trial: Trial, *result: Result) -> None:
        self.tells.append((hook, trial, *result))
        self.trials[trial.id] = trial
        arguments = {"run": self.run, "trial": trial, "result": result[0] if result else None}
        method = getattr(self.median, hook)
        method(**{name: arguments[name] for name in inspect.signature(method).parameters})


@pytest.fixture(scope="session")
def jury() -> type[Jury]:
    return Jury
