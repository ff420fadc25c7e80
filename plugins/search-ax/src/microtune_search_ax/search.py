"""The searcher: what the hooks say to an experiment of Ax."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal, get_args

from microtune import Done, Facts, OptionError, Result, Start, Trial, Wait, hookimpl
from microtune_search_ax.dimensions import Dimensions, Point, same
from microtune_search_ax.experiment import MODEL, Asked, Exhausted, Experiment, Refused, Unready
from microtune_search_ax.expressions import translated
from microtune_search_ax.outcomes import Outcomes

Method = Literal["fast", "quality", "random_search"]
DEFAULT_BUDGET = 5  # Ax's own


class AxSearch:
    """Bayesian optimisation by Ax: first the middle of the space and Sobol points, then a Gaussian process.

    method: fast, quality (a fully Bayesian model, a minute or more per suggestion) or random_search (Sobol points only)
    parameter_constraints: linear ones of numeric parameters, such as "x + 2*y <= 1", which Ax keeps by itself
    outcome_constraints: linear ones of metrics, such as "latency <= 30", which Ax learns to keep
    initialization_budget: trials before the first model; None: as Ax says (5)
    initialization_random_seed: of the Sobol points; None: from the run's seed
    initialize_with_center: the first trial is the middle of the space
    use_existing_trials_for_initialization: trials that Ax did not suggest count too
    min_observed_initialization_trials: of these trials, how many must have a result before the first model; None: half
    allow_exceeding_initialization_budget: more Sobol points while too few have a result; else Ax waits, and workers with it
    torch_device: where the model is fitted, such as "cuda"; None: the default of torch
    simplify_parameter_changes: change only parameters that matter
    """

    def __init__(
        self,
        *,
        method: Method = "fast",
        parameter_constraints: Sequence[str] = (),
        outcome_constraints: Sequence[str] = (),
        initialization_budget: int | None = None,
        initialization_random_seed: int | None = None,
        initialize_with_center: bool = True,
        use_existing_trials_for_initialization: bool = True,
        min_observed_initialization_trials: int | None = None,
        allow_exceeding_initialization_budget: bool = True,
        torch_device: str | None = None,
        simplify_parameter_changes: bool = False,
    ) -> None:
        if method not in get_args(Method):
            raise OptionError(f"the searcher ax has no method {method!r}: method is one of {', '.join(get_args(Method))}")
        self._parameter_constraints = _several("parameter_constraints", parameter_constraints)
        self._outcome_constraints = _several("outcome_constraints", outcome_constraints)
        self._strategy: dict[str, Any] = {
            "method": method,
            "initialization_budget": initialization_budget,
            "initialization_random_seed": initialization_random_seed,
            "initialize_with_center": initialize_with_center,
            "use_existing_trials_for_initialization": use_existing_trials_for_initialization,
            "min_observed_initialization_trials": min_observed_initialization_trials,
            "allow_exceeding_initialization_budget": allow_exceeding_initialization_budget,
            "torch_device": torch_device,
            "simplify_parameter_changes": simplify_parameter_changes,
        }
        _check_budget(initialization_budget, min_observed_initialization_trials, allow_exceeding_initialization_budget)
        self._experiment: Experiment | None = None  # none for a space without dimensions
        self._asked: Asked | None = None  # suggested, and not started yet
        self._running: dict[str, tuple[int, Point]] = {}  # trial id -> Ax's number of it, and where it is
        self._last: dict[str, tuple[int, dict[str, float] | None]] = {}  # step and data; None: these are no numbers

    @property
    def client(self) -> Any:
        """Ax's own Client, for its analyses: parameters are named p0_lr, metrics m0 as the objective has them."""
        return self._experiment and self._experiment.client

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._dimensions = Dimensions(run.space)
        self._outcomes = Outcomes(run.objective, self._outcome_constraints)
        if not len(self._dimensions):
            return
        strategy = self._strategy
        if strategy["initialization_random_seed"] is None:
            strategy = {**strategy, "initialization_random_seed": run.rng("ax").getrandbits(31)}
        names = self._dimensions.by_name
        constraints = [translated(each, names, self._dimensions.term) for each in self._parameter_constraints]
        try:
            experiment = Experiment(self._dimensions, constraints, run.name)
        except Refused as error:
            raise OptionError(f"the searcher ax: parameter_constraints={self._parameter_constraints}: {error}") from error
        try:
            experiment.optimise(self._outcomes.expression, self._outcomes.constraints, strategy)
        except Refused as error:
            raise OptionError(f"the searcher ax: outcome_constraints={self._outcome_constraints}: {error}") from error
        self._experiment = experiment

    @hookimpl
    def suggest(self, rng: random.Random) -> Start | Wait | Done:
        if self._experiment is None:
            return Start(self._dimensions.from_ax({}))
        if self._asked is not None:  # nobody took it up: a modifier wants another one
            self._experiment.abandon(self._asked.trial)
        try:
            asked = self._asked = self._experiment.ask(rng)
        except Exhausted as error:
            return Done(str(error))
        except Unready as error:
            return Wait(str(error))
        token = {"ax": asked.trial, "node": asked.node, "inactive": asked.inactive}
        return Start(self._dimensions.from_ax(asked.values), token=token)

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        if self._experiment is None:
            return
        point = self._dimensions.to_ax(trial.config)
        if trial.starts > 1 and trial.id in self._running:
            if self._running[trial.id][1] == point:
                return
            self._end(trial._replace(state="STOPPED"))  # it goes on with another config, another point for Ax
        token = trial.token if trial.starts == 1 and isinstance(trial.token, dict) and "ax" in trial.token else None
        asked = None if token is None else self._taken(run, trial, token)
        if point is None:  # Ax has no such point, and hears nothing of the trial
            if asked is not None:
                self._experiment.fail(asked.trial, asked.values, "not started")
            return
        if asked is not None and same(asked.values, point):
            index = asked.trial
        else:
            if asked is not None:
                self._experiment.fail(asked.trial, asked.values, "projected onto the space: what runs is the next trial")
            index = self._experiment.attach(point, self._dimensions.known(token["inactive"], but=point) if token else {})
        self._running[trial.id] = (index, point)

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        if trial.id not in self._running or not run.objective.has(result):
            return
        missing = self._outcomes.missing(result)
        if missing and trial.token is not None:
            raise OptionError(
                f"the searcher ax: outcome_constraints={self._outcome_constraints} need {missing}, which trial {trial.id} did "
                f"not report; it reported {sorted(result.metrics)}"
            )
        self._last[trial.id] = (trial.iteration, self._outcomes.of(result))

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._end(trial)

    def _end(self, trial: Trial) -> None:
        step, data = self._last.pop(trial.id, (0, None))
        if self._experiment is None or trial.id not in self._running:
            return
        index, point = self._running.pop(trial.id)
        if trial.state == "FAILED":
            self._experiment.fail(index, point, trial.reason)
        elif data is None:
            self._experiment.abandon(index)
        elif trial.finished:
            self._experiment.complete(index, data, step)
        else:
            self._experiment.stop(index, data, step)

    def _taken(self, run: Facts, trial: Trial, token: dict[str, Any]) -> Asked | None:
        """What Ax made for this trial. On a replay it is asked again, so that its Sobol sequence goes on where it was; but not
        for what came from a model: to fit that is slow, and changes nothing.
        """
        assert self._experiment is not None
        asked, self._asked = self._asked, None
        if asked is None and token["node"] != MODEL:
            try:
                asked = self._experiment.ask(run.rng("suggest", trial.number))
            except (Exhausted, Unready):  # the options are others now
                return None
        return asked


def _several(option: str, given: Any) -> list[str]:
    if isinstance(given, str) or not all(isinstance(each, str) for each in given):
        raise OptionError(f"the searcher ax: {option} is {given!r}; it must be a list of expressions, such as ['x + y <= 1']")
    return list(given)


def _check_budget(budget: int | None, observed: int | None, exceeding: bool) -> None:
    if budget is not None and budget < 1:
        raise OptionError(f"the searcher ax: initialization_budget is {budget}; Ax cannot model before the first trial")
    if observed is not None and observed > (budget or DEFAULT_BUDGET) and not exceeding:
        raise OptionError(
            f"the searcher ax: min_observed_initialization_trials is {observed} and initialization_budget "
            f"{budget or DEFAULT_BUDGET}: so many will never be observed; raise the budget"
        )
