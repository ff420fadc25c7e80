"""Which sampler makes a suggestion. A sampler by name is made afresh for each, so that the suggestion follows from its seed
and the study alone, and not from what the sampler remembers of the ones before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from microtune import OptionError
from microtune_search_optuna.named import SAMPLERS, find, make, takes
from microtune_search_optuna.quiet import quiet

_GENERATIONAL = (CmaEsSampler, NSGAIISampler, NSGAIIISampler)
VIOLATIONS = "constraints"  # the attribute of a trial that holds its constraints: above zero is violated


class Sampling:
    """The user's choice of a sampler.

    recorded: what a suggestion leaves in the study is plain data, so the journal keeps it and a replay puts it back. The other
    samplers are asked again: those that the user made, which may remember anything, and CMA-ES, which leaves a pickle, and none
    is ever read from a journal.
    single: it can follow one metric only.
    generational: it learns only from trials to which it has given a generation.
    learns_early: it ranks pruned trials by how far they came, so those that are under way can be ranked so as well.
    """

    def __init__(
        self, sampler: str | BaseSampler | Callable[..., BaseSampler], options: Mapping[str, Any], constrained: bool
    ) -> None:
        self.name = sampler if isinstance(sampler, str) else getattr(sampler, "__name__", type(sampler).__name__)
        made_by_user = not isinstance(sampler, str) or any(isinstance(each, BaseSampler) for each in options.values())
        self.recorded = not made_by_user and sampler != "cmaes"
        self.single = CmaEsSampler in (type(sampler), sampler) or sampler == "cmaes"
        self.generational = sampler in ("cmaes", "nsga2", "nsga3") or isinstance(sampler, _GENERATIONAL)
        self.learns_early = sampler == "tpe" or isinstance(sampler, TPESampler)
        self._given: Any = sampler
        self._options = dict(options)
        self._cls: type[Any] | None = None
        self._scout: Any = None
        if isinstance(sampler, str):
            self._cls = find("sampler", SAMPLERS, sampler, options)
            if constrained:
                self._constrain(self._cls)
            self.forget()
        elif options or constrained:
            what = ", ".join(options) or "constraints"
            raise OptionError(f"optuna: {what} cannot be set for the sampler {self.name}: give it to that sampler itself")

    def __call__(self, seed: int, run_seed: int) -> BaseSampler:
        """The sampler for one suggestion."""
        if isinstance(self._given, BaseSampler):
            return self._given
        made: BaseSampler
        if self._cls is None:
            made = self._given(seed=seed)
            return made
        options = {**self._options, "seed": seed}
        if self.name == "qmc":  # one sequence for the whole run, of which each suggestion is one point
            options = {"independent_sampler": RandomSampler(seed=seed), **self._options, "seed": run_seed}
        made = self._cls(**options)
        # With group=True a sampler draws from the very groups that it found itself.
        return made if self._options.get("group") else Afresh(made, self._scout)

    def forget(self) -> None:
        """A trial that was over is another now."""
        if self._cls is None:
            return
        with quiet():
            self._scout = make("sampler", self.name, self._cls, {**self._options, "seed": 0})

    def _constrain(self, cls: type[Any]) -> None:
        if "constraints_func" not in takes(cls):
            able = ", ".join(name for name, each in SAMPLERS.items() if "constraints_func" in takes(each.cls))
            raise OptionError(f"optuna: the sampler {self.name!r} knows no constraints; these do: {able}")
        self._options["constraints_func"] = violations


class Afresh(BaseSampler):
    """Draws with one sampler, in the space that another of its kind finds, which need not look through all trials again."""

    def __init__(self, drawing: BaseSampler, scout: BaseSampler) -> None:
        self._drawing = drawing
        self._scout = scout

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._scout.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._drawing.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._drawing.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._drawing.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._drawing.after_trial(study, trial, state, values)


def violations(trial: FrozenTrial) -> list[float]:
    found: list[float] = trial.user_attrs[VIOLATIONS]
    return found
