"""The searcher: a study of Optuna that is asked here, and told what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from microtune import Done, Facts, Float, Normal, OptionError, Result, Start, Trial, hookimpl
from microtune_search_optuna.asking import Asking
from microtune_search_optuna.history import History
from microtune_search_optuna.samplers import VIOLATIONS, Sampling


class OptunaSearch:
    """The samplers of Optuna, by name with their own options, or an object.

    sampler: tpe, gp, cmaes, nsga2, nsga3, qmc, random, brute_force; every further option is that sampler's own. Also a class
        or function that makes one from `seed`, or a sampler
    space: a function of an Optuna trial that returns the config (define-by-run), beside the run's param_space
    constraints: metrics that must not be above zero; for tpe, gp, nsga2, nsga3
    """

    def __init__(
        self,
        *,
        sampler: str | BaseSampler | Callable[..., BaseSampler] = "tpe",
        space: Callable[[optuna.Trial], dict[str, Any]] | None = None,
        constraints: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self._sampling = Sampling(sampler, options, bool(constraints))
        self._space = space
        self.own_space = space is not None
        self._constraints = list(constraints)
        self._violations: dict[str, list[float] | None] = {}  # of the trials that are not over
        self._unknown: set[str] = set()  # trials whose parameters Optuna cannot be told

    @hookimpl
    def setup(self, run: Facts) -> None:
        if self._sampling.single:
            run.objective.single(f"optuna: the sampler {self._sampling.name!r}")
        if self._sampling.name == "brute_force":
            _refuse_endless(run)
        # A scheduler that pauses ends hardly anybody, and would leave the model without a trial to learn from.
        self._early = self._sampling.learns_early and len(run.objective.metrics) == 1
        self._history = History(run)
        self._asking = Asking(run, self._history, self._sampling, self._space)

    @hookimpl
    def suggest(self, rng: random.Random) -> Start | Done:
        if self._history.study.exhausted:
            return Done("every config has been tried")
        asked = self._asking.ask(rng.getrandbits(32))
        return Start(asked.config, token=asked.token or None)

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts > 1:
            self._resumed(trial)
            return
        attrs, study_attrs = self._asking.left_behind(trial)
        self._history.storage.attrs = {**self._history.storage.attrs, **study_attrs}
        try:
            self._history.start(trial.id, *self._asking.parameters(trial), attrs)
        except ValueError:  # somebody else's config: a category of weight zero, or nothing that `space` would return
            if trial.token is not None:
                raise
            self._unknown.add(trial.id)
            self._history.start(trial.id, {}, {}, {})

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        if not run.objective.has(result):
            return
        number = self._history.report(trial.id, result, result.training_iteration)
        if self._early and trial.id not in self._unknown:
            self._history.storage.replace(number, state=TrialState.PRUNED)
        if self._constraints:
            self._violations[trial.id] = self._violated(result)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        state = self._state(trial)
        if self._constraints:
            violated = self._violations.pop(trial.id, None)
            if trial.reason == "infeasible":
                violated = [1.0] * len(self._constraints)
            if violated is None:
                state = TrialState.FAIL
            self._history.annotate(trial.id, VIOLATIONS, violated)
        if state == TrialState.FAIL and trial.id in self._history.values:
            self._sampling.forget()
        self._history.end(trial.id, state)
        self._unknown.discard(trial.id)

    def _state(self, trial: Trial) -> TrialState:
        """What Optuna calls an end such as this."""
        if trial.id in self._unknown:
            return TrialState.FAIL
        if trial.reason == "infeasible" and trial.state == "STOPPED":
            return TrialState.PRUNED  # before its first step: of all that are known, the worst
        if trial.state == "FAILED" or trial.id not in self._history.values:
            return TrialState.FAIL
        if not trial.finished:
            return TrialState.PRUNED
        return TrialState.FAIL if self._history.values[trial.id] is None else TrialState.COMPLETE

    def _resumed(self, trial: Trial) -> None:
        """Perhaps with another config; what `space` adds to it is never another."""
        self._history.restart(trial.id, trial.iteration)
        if self._space is None and trial.id not in self._unknown:
            if self._history.move(trial.id, *self._asking.declared(trial)):
                self._sampling.forget()

    def _violated(self, result: Result) -> list[float] | None:
        found = [result.get(name) for name in self._constraints]
        if all(type(each) in (int, float) and abs(each) < float("inf") for each in found):
            return [float(each) for each in found]
        return None


def _refuse_endless(run: Facts) -> None:
    for each in run.space.parameters():
        if isinstance(each.domain, (Float, Normal)) and each.domain.size is None:
            raise OptionError(
                f"optuna: the sampler 'brute_force' tries every config, and there is no end to the values of {each.name!r}: "
                "quantise it, as in quniform"
            )
