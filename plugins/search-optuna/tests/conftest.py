"""A searcher that is asked and told as the kernel would."""

from __future__ import annotations

import pytest

from microtune import Facts, Limits, Objective, Result, Space, Trial, choice, randint, uniform
from microtune_search_optuna import OptunaSearch

SPACE = {"x": uniform(0, 1), "k": randint(1, 50), "c": choice(["a", "b", "c"])}


def facts(space=SPACE, metric="loss", mode="min", seed=0, constraints=()):
    return Facts(
        id="", name="", path="", seed=seed, space=Space(space, constraints), objective=Objective(metric, mode),
        num_samples=None, limits=Limits(trials=None), resources={}, trainable=None,
    )  # fmt: skip


class Search:
    """A searcher, asked and told as the kernel would; `tells` is what a replay would tell."""

    def __init__(self, run=None, **options):
        self.run = run or facts()
        self.options = options
        self.searcher = OptunaSearch(**options)
        self.searcher.setup(run=self.run)
        self.trials = {}
        self.tells = []

    def suggest(self):
        return self.searcher.suggest(rng=self.run.rng("suggest", len(self.trials)))

    def start(self, config=None):
        number, token = len(self.trials), None
        if config is None:
            answer = self.suggest()
            config, token = answer.config, answer.token
        config = self.run.space.project(config, self.run.rng("project", number))
        self._tell("on_start", Trial(f"{number:05d}", number, config, token=token))
        return f"{number:05d}"

    def report(self, trial_id, iteration=1, **metrics):
        trial = self.trials[trial_id]._replace(iteration=iteration)
        self._tell("on_result", trial, Result(metrics, iteration, 1.0, 1.0))

    def end(self, trial_id, state="COMPLETED", reason="", *, finished=False):
        finished = finished or state == "COMPLETED"
        self._tell("on_end", self.trials[trial_id]._replace(state=state, reason=reason, finished=finished))

    def one(self, loss=None, **metrics):
        """A whole trial."""
        trial_id = self.start()
        x = self.trials[trial_id].config.get("x", 0.0)
        self.report(trial_id, loss=(x - 0.3) ** 2 if loss is None else loss, **metrics)
        self.end(trial_id)
        return self.trials[trial_id].config

    def replayed(self):
        """Another process, which hears all and is asked nothing."""
        other = Search(self.run, **self.options)
        for tell in self.tells:
            other._tell(*tell)
        return other

    def _tell(self, hook, trial, *result):
        self.trials[trial.id] = trial
        self.tells.append((hook, trial, *result))
        arguments = {"run": self.run, "result": result[0]} if result else {}
        getattr(self.searcher, hook)(trial=trial, **arguments)

    def __getitem__(self, trial_id):
        """The trial as Optuna has it."""
        return self.searcher._history.storage.trials[int(trial_id)]

    @property
    def states(self):
        return [trial.state.name for trial in self.searcher._history.storage.trials]


@pytest.fixture(name="facts")
def facts_():
    return facts


@pytest.fixture
def search():
    return Search
