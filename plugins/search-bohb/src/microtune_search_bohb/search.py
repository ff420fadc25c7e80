"""The searcher: the hooks of a run, answered by the model."""

from __future__ import annotations

import random

from microtune import Facts, OptionError, Result, Start, Trial, hookimpl
from microtune_search_bohb.dimensions import Dimensions, Vector
from microtune_search_bohb.model import Model
from microtune_search_bohb.observations import Observations

MORE = 2  # than min_points_in_model, before there is a model: "|D_b| >= N_min + 2" in the paper


class BOHBSearch:
    """Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018, section 4.1.

    The model is of the largest budget at which min_points_in_model + 2 trials have reported: a kernel density of the best
    configs there, and one of the rest. A budget is a training_iteration. BOHB itself is this searcher with the scheduler
    hyperband; it learns as well under any other scheduler, and under none.

    min_points_in_model: so many observations each density has at least; None: one more than there are parameters
    top_n_percent: this share of the observations, in percent, is the good ones
    num_samples: the best of so many draws from the density of the good ones is proposed
    random_fraction: the probability of a draw from the space instead
    bandwidth_factor: the draws of numbers are from kernels so much wider
    min_bandwidth: of a kernel, where a number is from 0 to 1

    Where this follows the paper, and the authors' code, and with it Ray Tune, does not: a model needs N_min + 2 observations
    and not 2 * N_min, since of few the good and the bad may overlap. What this mends in that code: the bandwidth of a category
    depends on no order of the categories and makes no kernel negative; a category that no observation has gets its share of
    probability; an inactive parameter is filled in also where it is the first; nothing is drawn from a global generator. In
    Ray Tune, moreover, the model never hears of the result that gets a trial stopped, such as the last of a bracket.
    """

    def __init__(
        self,
        *,
        min_points_in_model: int | None = None,
        top_n_percent: int = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
    ) -> None:
        if min_points_in_model is not None and min_points_in_model < 2:
            raise OptionError(f"bohb: min_points_in_model is {min_points_in_model}; a density needs at least 2 points")
        if not 1 <= top_n_percent <= 99:
            raise OptionError(f"bohb: top_n_percent is {top_n_percent}; the good ones are from 1 to 99 percent")
        if num_samples < 1:
            raise OptionError(f"bohb: num_samples is {num_samples}; it must be at least 1")
        if not 0 <= random_fraction <= 1:
            raise OptionError(f"bohb: random_fraction is {random_fraction}; it is a probability, from 0 to 1")
        for name, value in (("bandwidth_factor", bandwidth_factor), ("min_bandwidth", min_bandwidth)):
            if not value > 0:
                raise OptionError(f"bohb: {name} is {value}; it must be above 0")
        self._least = min_points_in_model
        self._top = top_n_percent
        self._samples = num_samples
        self._random = random_fraction
        self._factor = bandwidth_factor
        self._narrowest = min_bandwidth
        self._out: dict[str, Vector] = {}  # of the trials that are not over
        self._model: tuple[int, Model] | None = None  # and when it was made

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single("bohb")
        self._dimensions = Dimensions(run.space)
        self._least = self._least or len(self._dimensions) + 1
        self._observations = Observations(self._least + MORE)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start:
        if not len(self._dimensions) or not self._observations.budget or rng.random() < self._random:
            return Start(run.space.sample(rng))
        vector = self._fitted(run).propose(rng, self._samples, self._factor)
        return Start(self._dimensions.config(vector))

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        self._out[trial.id] = self._dimensions.vector(trial.config)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        if self._objective.has(result):
            self._observations.measured(result.training_iteration, -self._objective.score(result), self._out[trial.id])

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        vector = self._out.pop(trial.id)
        if trial.state == "FAILED" or (trial.state == "STOPPED" and trial.reason == "infeasible"):
            self._observations.failed(trial.iteration, vector)

    def _fitted(self, run: Facts) -> Model:
        """The model of all that was told so far."""
        told = self._observations.told
        if self._model is None or self._model[0] != told:
            assert self._least is not None
            good, bad = self._observations.split(self._least, self._top)
            rng = run.rng("bohb", told)
            self._model = told, Model(good, bad, self._dimensions.levels, self._narrowest, rng)
        return self._model[1]
