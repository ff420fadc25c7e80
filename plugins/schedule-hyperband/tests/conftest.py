"""A race: one HyperBand, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Objective, Pause, Result, Resume, Stop, Trial
from microtune_schedule_hyperband import HyperBand


def facts(objective: Objective) -> Facts:
    return Facts(
        id="", name="", path="", seed=0, space=None, objective=objective, num_samples=None, limits=None, resources={},
        trainable=None,
    )  # fmt: skip


class Race:
    def __init__(self, objective: Objective | None = None, **options: Any) -> None:
        self.options = options
        self.hyperband = HyperBand(**options)
        self.run = facts(objective or Objective("loss", "min"))
        self.hyperband.setup(run=self.run)
        self.trials: dict[str, Trial] = {}
        self.tells: list[tuple[Any, ...]] = []

    def start(self, launched: bool = True) -> str:
        number = len(self.trials)
        trial = Trial(f"{number:05d}", number, {}, state="RUNNING", attempt=int(launched))
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
        decision = self.hyperband.decide(trial=trial)
        if type(decision) is Stop:
            self.end(trial_id, "STOPPED")
        elif type(decision) is Pause:
            self.pause(trial_id)
        return type(decision).__name__.lower()

    def fill(self, exhausted: str | None = None) -> tuple[list[str], list[str]]:
        """Do what HyperBand suggests until it suggests nothing: whom it resumed, and whom it stopped."""
        resumed, stopped = [], []
        self.run.exhausted = exhausted
        while (answer := self.hyperband.suggest(run=self.run)) is not None:
            assert self.trials[answer.trial_id].state == "PAUSED"
            assert answer == self.hyperband.suggest(run=self.run), "a suggestion that was not taken up was kept"
            if isinstance(answer, Stop):
                stopped.append(answer.trial_id)
                self.end(answer.trial_id, "STOPPED")
            else:
                assert answer == Resume(answer.trial_id), "a promoted trial goes on with its own config and checkpoint"
                resumed.append(answer.trial_id)
                self.resume(answer.trial_id)
        self.run.exhausted = None
        return resumed, stopped

    def pause(self, trial_id: str) -> None:
        self._tell("on_pause", self.trials[trial_id]._replace(state="PAUSED"))

    def resume(self, trial_id: str, reason: str | None = None) -> None:
        trial = self.trials[trial_id]
        assert trial.state == "PAUSED"
        self._tell("on_start", trial._replace(state="PENDING", starts=trial.starts + 1, reason=reason))
        self.trials[trial_id] = self.trials[trial_id]._replace(state="RUNNING")

    def end(self, trial_id: str, state: str = "COMPLETED") -> None:
        self._tell("on_end", self.trials[trial_id]._replace(state=state))

    def replayed(self) -> HyperBand:
        """Another HyperBand that heard the same tells and was asked nothing."""
        other = Race(self.run.objective, **self.options)
        for hook, *arguments in self.tells:
            other._tell(hook, *arguments)
        return other.hyperband

    def _tell(self, hook: str, trial: Trial, *result: Result) -> None:
        self.tells.append((hook, trial, *result))
        self.trials[trial.id] = trial
        arguments = {"run": self.run, "trial": trial, "result": result[0] if result else None}
        method = getattr(self.hyperband, hook)
        method(**{name: arguments[name] for name in inspect.signature(method).parameters})


@pytest.fixture
def race() -> type[Race]:
    return Race
