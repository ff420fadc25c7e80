"""A session: the searcher, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Limits, Objective, Result, Space, Start, Trial
from microtune_search_bohb import BOHBSearch


class Session:
    def __init__(self, spec: dict[str, Any], *, mode: str = "min", seed: int = 0, **options: Any) -> None:
        self.run = Facts(
            id="", name="", path="", seed=seed, space=Space(spec), objective=Objective("loss", mode), num_samples=None,
            limits=Limits(trials=None), resources={"cpu": 1.0}, trainable=None,
        )  # fmt: skip
        self.searcher = BOHBSearch(**options)
        self._call("setup")
        self.trials: dict[str, Trial] = {}

    def suggest(self) -> dict[str, Any]:
        rng = self.run.rng("suggest", len(self.trials))
        answer = self._call("suggest", rng=rng)
        assert isinstance(answer, Start), answer
        return self.run.space.project(answer.config, rng)

    def start(self, config: dict[str, Any]) -> str:
        number = len(self.trials)
        self._tell("on_start", Trial(f"{number:05d}", number, config, state="RUNNING"))
        return f"{number:05d}"

    def resume(self, trial_id: str, **changes: Any) -> None:
        trial = self.trials[trial_id]
        self._tell("on_start", trial._replace(starts=trial.starts + 1, **changes))

    def report(self, trial_id: str, iteration: int, **metrics: Any) -> None:
        trial = self.trials[trial_id]._replace(iteration=iteration)
        self._tell("on_result", trial, result=Result(metrics, iteration, float(iteration), 0.0))

    def end(self, trial_id: str, state: str = "COMPLETED", reason: str | None = None) -> None:
        self._tell("on_end", self.trials[trial_id]._replace(state=state, reason=reason))

    def complete(self, config: dict[str, Any], loss: float, iteration: int = 1) -> None:
        trial_id = self.start(config)
        self.report(trial_id, iteration, loss=loss)
        self.end(trial_id)

    def proposals(self, count: int) -> list[dict[str, Any]]:
        """As many as trials would be started with, if nothing was heard of them."""
        proposed = []
        for _ in range(count):
            proposed.append(self.suggest())
            self.start(proposed[-1])
        return proposed

    def _tell(self, hook: str, trial: Trial, **more: Any) -> None:
        self.trials[trial.id] = trial
        self._call(hook, trial=trial, **more)

    def _call(self, hook: str, **arguments: Any) -> Any:
        method = getattr(self.searcher, hook)
        given = {"run": self.run, **arguments}
        return method(**{name: given[name] for name in inspect.signature(method).parameters})


@pytest.fixture
def session() -> type[Session]:
    return Session
