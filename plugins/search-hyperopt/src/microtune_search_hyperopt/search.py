"""The searcher: the hooks of a run, answered by one of hyperopt's algorithms."""

from __future__ import annotations

import random

import numpy as np
from hyperopt.base import Domain

from microtune import Facts, Result, Start, Trial, hookimpl
from microtune_search_hyperopt.algorithms import chosen
from microtune_search_hyperopt.graph import Graph
from microtune_search_hyperopt.history import History


class HyperoptSearch:
    """Hyperopt's algorithms; their options keep hyperopt's names and, where None, its defaults.

    algo: tpe, atpe (needs lightgbm and scikit-learn), anneal, random, or mix
    p_suggest: mix: the probability of each algorithm, such as {"tpe": 0.9, "random": 0.1}
    n_startup_jobs: tpe: so many trials are drawn at random before anything is modelled (20)
    gamma: tpe: the gamma * sqrt(n) best of n trials are the good ones (0.25)
    n_EI_candidates: tpe: the best of so many draws from the model of the good ones is suggested (24)
    prior_weight: tpe: the weight of the declared distribution in both models (1.0)
    avg_best_idx: anneal: mean of the geometric distribution by which a good trial is picked, 1 being the best (2.0)
    shrink_coef: anneal: how fast the neighbourhood of that trial shrinks with the number of trials (0.1)
    """

    def __init__(
        self,
        *,
        algo: str = "tpe",
        p_suggest: dict[str, float] | None = None,
        n_startup_jobs: int | None = None,
        gamma: float | None = None,
        n_EI_candidates: int | None = None,  # noqa: N803 - hyperopt's name
        prior_weight: float | None = None,
        avg_best_idx: float | None = None,
        shrink_coef: float | None = None,
    ) -> None:
        options = {
            "n_startup_jobs": n_startup_jobs, "gamma": gamma, "n_EI_candidates": n_EI_candidates,
            "prior_weight": prior_weight, "avg_best_idx": avg_best_idx, "shrink_coef": shrink_coef,
        }  # fmt: skip
        self._algorithm, self._parts = chosen(algo, p_suggest, options)
        self._history = History()

    @hookimpl
    def setup(self, run: Facts) -> None:
        run.objective.single("hyperopt")
        self._flat = "atpe" in self._parts  # it takes every parameter for active, and cannot read some distributions
        self._graph = Graph(run.space, simple=self._flat)
        self._domain = None if self._graph.empty else Domain(None, self._graph.expression)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start:
        if self._domain is None:  # one point
            return Start({})
        with np.errstate(all="ignore"):  # the logarithm of a probability of zero
            documents = self._algorithm([len(self._history)], self._domain, self._history.trials(), rng.getrandbits(31))
        return Start(self._graph.config(documents[0]["misc"]["vals"]))

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        rng = run.rng("inactive", trial.number) if self._flat else None
        self._history.starts(trial.id, self._graph.vals(trial.config, rng))

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        if run.objective.has(result):
            self._history.measures(trial.id, result.training_iteration, -run.objective.score(result))

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        if trial.finished:
            self._history.completes(trial.id)
        elif trial.state == "STOPPED" and trial.reason != "infeasible":
            self._history.stops(trial.id)
        else:
            self._history.fails(trial.id)
