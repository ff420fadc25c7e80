"""A session: one searcher, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Limits, Objective, Result, Space, Start, Trial
from microtune_search_hyperopt import HyperoptSearch


class Session:
    def __init__(self, spec: dict[str, Any], *, mode: str = "min", seed: int = 0, **options: Any) -> None:
        self.run = Facts(
            id="", name="", path="", seed=seed, space=Space(spec), objective=Objective("loss", mode), num_samples=None,
            limits=Limits(trials=None), resources={}, trainable=None,
        )  # fmt: skip
        self.searcher = HyperoptSearch(**options)
        self.searcher.setup(run=self.run)
        self.trials: dict[str, Trial] = {}

    def ask(self) -> dict[str, Any]:
        answer = self.searcher.suggest(run=self.run, rng=self.run.rng("suggest", len(self.trials)))
        assert isinstance(answer, Start)
        return self.run.space.project(answer.config, self.run.rng("project"))

    def start(self, config: dict[str, Any] | None = None) -> str:
        number = len(self.trials)
        trial = Trial(f"{number:05d}", number, self.ask() if config is None else config, state="RUNNING")
        self._tell("on_start", trial)
        return trial.id

    def resume(self, trial_id: str, **changes: Any) -> None:
        trial = self.trials[trial_id]
        self._tell("on_start", trial._replace(starts=trial.starts + 1, **changes))

    def report(self, trial_id: str, iteration: int = 1, **metrics: Any) -> None:
        trial = self.trials[trial_id]._replace(iteration=iteration)
        self._tell("on_result", trial, Result(metrics, iteration, float(iteration), 0.0))

    def end(
        self, trial_id: str, state: str = "COMPLETED", reason: str | None = None, *, finished: bool = False
    ) -> None:
        finished = finished or state == "COMPLETED"
        self._tell("on_end", self.trials[trial_id]._replace(state=state, reason=reason, finished=finished))

    def complete(self, loss: float, config: dict[str, Any] | None = None) -> str:
        trial_id = self.start(config)
        self.report(trial_id, loss=loss)
        self.end(trial_id)
        return trial_id

    def document(self, trial_id: str) -> dict[str, Any]:
        """What hyperopt has of this trial when it is asked."""
        trials = self.searcher._history.trials()
        return next(each for each in trials._dynamic_trials if each["tid"] == self.trials[trial_id].number)

    def seen(self) -> list[int]:
        """The trials that hyperopt's algorithms see."""
        return self.searcher._history.trials().tids

    def _tell(self, hook: str, trial: Trial, *result: Result) -> None:
        self.trials[trial.id] = trial
        arguments = {"run": self.run, "trial": trial, "result": result[0] if result else None}
        method = getattr(self.searcher, hook)
        method(**{name: arguments[name] for name in inspect.signature(method).parameters})


@pytest.fixture
def session() -> type[Session]:
    return Session
