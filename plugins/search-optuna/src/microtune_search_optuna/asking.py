"""Asking the study for a suggestion, and finding out what it knew of a trial that somebody starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution

from microtune import Facts, Trial
from microtune_search_optuna.dimensions import dimensions, suggest, written
from microtune_search_optuna.history import History
from microtune_search_optuna.quiet import quiet
from microtune_search_optuna.samplers import Sampling

Parameters = tuple[dict[str, Any], dict[str, BaseDistribution]]


class Asked(NamedTuple):
    """A suggestion: the config, the token under which it is known again, and what the sampler left in the study."""

    config: dict[str, Any]
    token: dict[str, Any]
    attrs: dict[str, Any]
    study_attrs: dict[str, Any]


class Asking:
    """The dialogue with the sampler. `ask` leaves the study as if nothing had been asked."""

    def __init__(
        self, run: Facts, history: History, sampling: Sampling, space: Callable[[Any], dict[str, Any]] | None
    ) -> None:
        self._rng = run.rng
        self._declared = run.space
        self._dimensions = dimensions(run.space)
        self._history = history
        self._sampling = sampling
        self._space = space
        self._run_seed = run.rng("optuna").getrandbits(32)
        self._last: Asked | None = None

    def ask(self, seed: int) -> Asked:
        storage, study = self._history.storage, self._history.study
        trials, attrs = len(storage.trials), storage.attrs
        try:
            with quiet():
                study.sampler = self._sampling(seed, self._run_seed)
                trial = study.ask()
                config = self._declared.assemble(suggest(trial, self._dimensions))
                if self._space is not None:
                    config = {**config, **self._space(trial)}
            frozen = storage.trials[trials]
            changed = {key: value for key, value in storage.attrs.items() if attrs.get(key) != value}
        finally:
            storage.rewind(trials, attrs)
        left = {"trial": frozen.system_attrs, "study": changed} if self._sampling.recorded else {"seed": seed}
        token = {**left, "params": frozen.params if self._space is not None else {}}
        token = {key: value for key, value in token.items() if value != {}}
        self._last = Asked(config, token, frozen.system_attrs, changed)
        return self._last

    def left_behind(self, trial: Trial) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the sampler left in the trial and in the study when it suggested this one, or would have left."""
        token = trial.token or {}
        if token and self._sampling.recorded:
            return token.get("trial", {}), token.get("study", {})
        if not token and not self._sampling.generational:
            return {}, {}
        asked, self._last = self._last, None
        if asked is None or asked.token != token:
            asked = self.ask(token["seed"] if "seed" in token else self._rng("suggest", trial.number).getrandbits(32))
        return asked.attrs, asked.study_attrs

    def parameters(self, trial: Trial) -> Parameters:
        """Those of its config as it was projected. ValueError where Optuna could not have suggested it."""
        params, distributions = self.declared(trial)
        if self._space is None:
            return params, distributions
        # The parameters of another searcher's config have the names of its keys, or they are unknown.
        fixed = optuna.trial.FixedTrial((trial.token or {}).get("params", trial.config))
        with quiet():
            self._space(fixed)
        return {**params, **fixed.params}, {**distributions, **fixed.distributions}

    def declared(self, trial: Trial) -> Parameters:
        """Those of the run's own space."""
        return written(self._declared.flatten(trial.config), self._dimensions)
