"""A session: one searcher, told and asked as the kernel would, without a kernel."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from microtune import Facts, Limits, Objective, Result, Space, Start, Trial
from microtune_search_nevergrad import NevergradSearch


class Session:
    def __init__(
        self, spec: dict[str, Any], *, metric: Any = "loss", mode: Any = "min", seed: int = 0, workers: int = 1,
        num_samples: int | None = 40, max_concurrent_trials: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.run = Facts(
            id="", name="", path="", seed=seed, space=Space(spec), objective=Objective(metric, mode), num_samples=num_samples,
            limits=Limits(trials=None), resources={"cpu": 1.0}, trainable=None, capacity={"cpu": float(workers)},
            max_concurrent_trials=max_concurrent_trials,
        )  # fmt: skip
        self.searcher = NevergradSearch(**options)
        self.searcher.setup(run=self.run)
        self.trials: dict[str, Trial] = {}
        self.told: list[tuple[dict[str, Any], Any]] = []  # what nevergrad hears: (config, loss or losses)

    def suggest(self) -> Any:
        answer = self.searcher.suggest(run=self.run)
        self._listen()
        return answer

    def start(self, config: dict[str, Any] | None = None) -> str:
        """A trial that it suggests, or, with a config, one that it does not."""
        answer = self.suggest() if config is None else Start(config)
        assert isinstance(answer, Start), answer
        number = len(self.trials)
        config = self.run.space.project(answer.config, self.run.rng("project", number))
        self._tell("on_start", Trial(f"{number:05d}", number, config, state="RUNNING", token=answer.token))
        return f"{number:05d}"

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

    def complete(self, loss: float, config: dict[str, Any] | None = None, iteration: int = 1) -> str:
        trial_id = self.start(config)
        self.report(trial_id, iteration, loss=loss)
        self.end(trial_id)
        return trial_id

    @property
    def optimizer(self) -> Any:
        return self.searcher._dialogue._optimizer

    def _listen(self) -> None:
        if self.searcher._dialogue is not None and not self.optimizer._callbacks.get("tell"):
            self.optimizer.register_callback("tell", self._hears)

    def _hears(self, optimizer: Any, candidate: Any, loss: float) -> None:
        losses = candidate.losses.tolist()
        self.told.append((self.searcher._variables.config(candidate), losses if len(losses) > 1 else losses[0]))

    def _tell(self, hook: str, trial: Trial, *result: Result) -> None:
        self.trials[trial.id] = trial
        arguments = {"run": self.run, "trial": trial, "result": result[0] if result else None}
        method = getattr(self.searcher, hook)
        method(**{name: arguments[name] for name in inspect.signature(method).parameters})


@pytest.fixture
def session() -> Any:
    """Sessions, whose optimisers and their threads end with the test."""
    made = []

    def make(*arguments: Any, **options: Any) -> Session:
        made.append(Session(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.searcher.teardown()
