"""An experiment of Ax: its Client, and the three things that the Client does not let one say.

These are here and nowhere else: which generation node made a trial, what it proposed for parameters that are not active (its
model learns from them), and that a trial which was stopped early is an observation too.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from microtune import OptionError
from microtune_search_ax.calm import calm
from microtune_search_ax.dimensions import Dimensions, Point

MODEL = "MBM"  # the node of Ax that asks a model


class Asked(NamedTuple):
    """A trial that Ax made; `node` is the part of Ax that did."""

    trial: int
    values: Point
    node: str | None
    inactive: Point


class Refused(Exception):
    """Ax cannot read or use an expression."""


class Exhausted(Exception):
    """There is no point left that was not tried."""


class Unready(Exception):
    """Ax needs results before it goes on."""


class Experiment:
    """Created with the space; `optimise` says for what."""

    def __init__(self, dimensions: Dimensions, constraints: list[str], name: str) -> None:
        self._size = dimensions.size
        self._tried: set[frozenset[tuple[str, Any]]] = set()  # of a finite space; without those that failed
        self._exhausted: str | None = None
        self._begun = False
        self._foreign = False  # there are trials that Ax did not make
        with calm():
            from ax.api.client import Client
            from ax.exceptions.core import AxError

            self.client = Client()
            try:
                self.client.configure_experiment(dimensions.configs(), constraints or None, name)
            except (AxError, ValueError, TypeError, SyntaxError) as error:
                raise Refused(f"Ax says: {error}") from error

    def optimise(self, objective: str, outcome_constraints: list[str], strategy: dict[str, Any]) -> None:
        with calm():
            from ax.exceptions.core import AxError

            try:
                self.client.configure_optimization(objective, outcome_constraints or None)
            except (AxError, ValueError, TypeError, SyntaxError) as error:
                raise Refused(f"Ax says: {error}") from error
            if strategy["method"] == "quality":
                _check_that_a_fully_bayesian_model_can_be_had()
        self._strategy = strategy

    def ask(self, rng: random.Random) -> Asked:
        """A new trial of Ax; Exhausted or Unready where there is none."""
        from ax.exceptions.core import DataRequiredError, OptimizationComplete
        from ax.exceptions.generation_strategy import MaxParallelismReachedException

        if not self._begun:
            self._begin()
        if self._size is not None and len(self._tried) >= self._size:  # Ax would draw ten thousand points to see that
            self._exhausted = f"each of the {self._size} points was tried"
        if self._exhausted is not None:
            raise Exhausted(self._exhausted)
        try:
            with calm(rng):
                trials = self.client.get_next_trials(1)
        except OptimizationComplete as error:
            self._exhausted = f"Ax finds no further point: {error}"
            raise Exhausted(self._exhausted) from error
        except (DataRequiredError, MaxParallelismReachedException) as error:
            raise Unready(f"Ax waits for results: {error}") from error
        for index, given in trials.items():
            run = self.client._experiment.trials[index].generator_runs[0]
            metadata = (run.candidate_metadata_by_arm_signature or {}).get(run.arms[0].signature) or {}
            values = {name: _plain(value) for name, value in given.items()}
            full = metadata.get("full_parameterization", {})
            self._try(values)
            inactive = {name: _plain(value) for name, value in full.items() if name not in values}
            return Asked(index, values, run._generation_node_name, inactive)
        raise Unready("Ax waits for results")

    def attach(self, values: Point, inactive: Point) -> int:
        """A trial that Ax did not make in this process; `inactive`: what it proposed for the other parameters when it did."""
        self._try(values)
        self._foreign = True
        with calm():
            if not inactive:
                return self.client.attach_trial(values)
            from ax.core.arm import Arm
            from ax.core.generator_run import GeneratorRun

            arm = Arm(parameters=dict(values))
            metadata: dict[str, dict[str, Any] | None] = {arm.signature: {"full_parameterization": {**inactive, **values}}}
            run = GeneratorRun(arms=[arm], candidate_metadata_by_arm_signature=metadata)
            trial = self.client._experiment.new_trial(generator_run=run)
            trial.mark_running(no_runner_required=True)
            return trial.index

    def complete(self, index: int, data: dict[str, float], step: int) -> None:
        with calm():
            self.client.complete_trial(index, data, progression=step)

    def stop(self, index: int, data: dict[str, float], step: int) -> None:
        """It was stopped after this step."""
        with calm():
            self.client.attach_data(index, data, progression=step)
            self.client.mark_trial_early_stopped(index)

    def fail(self, index: int, values: Point, reason: str | None) -> None:
        """Ax may propose this point again."""
        self._tried.discard(frozenset(values.items()))
        self._exhausted = None
        with calm():
            self.client.mark_trial_failed(index, failed_reason=reason)

    def abandon(self, index: int) -> None:
        """Ax will not propose this point again."""
        with calm():
            self.client.mark_trial_abandoned(index)

    def _try(self, values: Point) -> None:
        if self._size is not None:
            self._tried.add(frozenset(values.items()))

    def _begin(self) -> None:
        """Not before Ax is asked for the first time: its middle of the space is for an experiment without trials. It may say so
        itself, but then makes a Sobol point, however many trials there are.
        """
        self._begun = True
        alone = not (self._foreign and self._strategy["use_existing_trials_for_initialization"])
        center = self._strategy["initialize_with_center"] and alone
        with calm():
            self.client.configure_generation_strategy(**{**self._strategy, "initialize_with_center": center})
        self._count_stopped_trials_as_observed()

    def _count_stopped_trials_as_observed(self) -> None:
        """Ax waits for trials that are COMPLETED before it models anything. Where a scheduler cuts nearly all of them short, it
        would wait for long, although it models the data of those as well.
        """
        from ax.core.trial_status import TrialStatus
        from ax.generation_strategy.transition_criterion import MinTrials

        for node in self.client._generation_strategy.nodes_by_name.values():
            for criterion in node.transition_criteria:
                if isinstance(criterion, MinTrials) and criterion.only_in_statuses == [TrialStatus.COMPLETED]:
                    criterion.only_in_statuses = [TrialStatus.COMPLETED, TrialStatus.EARLY_STOPPED]


def _check_that_a_fully_bayesian_model_can_be_had() -> None:
    """BoTorch says what it lacks when the first one is made, which would be after the initialization."""
    import torch
    from botorch.models.fully_bayesian import SaasFullyBayesianSingleTaskGP

    points = torch.tensor([[0.0], [1.0]], dtype=torch.double)
    try:
        SaasFullyBayesianSingleTaskGP(points, points)
    except ImportError as error:
        raise OptionError(f"the searcher ax: method='quality' lacks a library: {error}") from error


def _plain(value: Any) -> int | float:
    """Of Python's own types; Ax is given numbers only."""
    return float(value) if isinstance(value, float) else int(value)
