"""The searcher: the hooks of a run, answered by an optimiser of nevergrad."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nevergrad.parametrization.parameter import Parameter as Candidate

from microtune import Facts, OptionError, Result, Start, Trial, Wait, hookimpl
from microtune_search_nevergrad.dialogue import Dialogue, maker_of
from microtune_search_nevergrad.generators import Generators
from microtune_search_nevergrad.losses import Losses
from microtune_search_nevergrad.variables import Variables

BUDGET = 100  # where neither the option nor the run has a number
_DEAF = (
    "nevergrad's {} cannot learn from trials that it did not propose (points_to_evaluate, warm start, another searcher's) but "
    "for where it begins; choose another optimizer, such as TwoPointsDE, to have them taken in"
)


@dataclass(slots=True)
class Out:
    """A trial that the optimiser has not been told of. candidate: None where it was not asked for one, or for another."""

    config: dict[str, Any]
    candidate: Candidate | None
    losses: Sequence[float] | None = None


class NevergradSearch:
    """Any optimiser of nevergrad.

    optimizer: its name in ng.optimizers.registry, or an optimiser class or configured family
    budget: for how many trials the optimiser plans; None: the run's num_samples, or 100 where it has none
    num_workers: how many trials it may expect at once; None: as many as the run can hold
    """

    def __init__(self, *, optimizer: Any = "NGOpt", budget: int | None = None, num_workers: int | None = None) -> None:
        for name, value in (("budget", budget), ("num_workers", num_workers)):
            if value is not None and value < 1:
                raise OptionError(f"nevergrad: {name} is {value!r}; it must be at least 1")
        self._optimizer = optimizer
        self._maker = maker_of(optimizer)
        self._budget = budget
        self._workers = num_workers
        self._dialogue: Dialogue | None = None
        self._fresh: Candidate | None = None  # asked for, and its trial not started yet
        self._asks = 0  # since the last trial of its own started
        self._in_step = True  # asked again, it answers as it did in the session before
        self._out: dict[str, Out] = {}
        self._early: list[tuple[Out, list[float]]] = []  # what is to be told once there is an optimiser
        self._warned = False

    @hookimpl
    def setup(self, run: Facts) -> None:
        with Generators(run.rng("nevergrad", "variables")).apart():
            self._variables = Variables(run.space)
        self._losses = Losses(len(run.objective.metrics))
        if self._variables.empty:
            return
        if (self._workers or 1) > 1 and getattr(self._maker, "no_parallelization", False):
            raise OptionError(f"nevergrad: num_workers is {self._workers}, and {self._optimizer} has one trial at a time")
        try:  # what it cannot do, it says when it is made
            self._made(run, self._variables.root, self._planned(run), self._workers or 1)
        except Exception as error:
            raise OptionError(
                f"nevergrad: optimizer={self._optimizer!r} cannot be used here: {type(error).__name__}: {error}; "
                "install what it needs, or choose another"
            ) from error

    @hookimpl
    def suggest(self, run: Facts) -> Start | Wait:
        if self._variables.empty:  # one point
            return Start({})
        if self._dialogue is None:
            self._open(run, self._planned(run), self._workers or self._room(run))
        assert self._dialogue is not None
        if not self._settled():
            return Wait("this optimiser of nevergrad proposes one trial at a time")
        self._ask()
        if self._fresh is None:
            return Wait("this optimiser of nevergrad proposes in batches, and the last one is not over")
        return Start(self._variables.config(self._fresh), token=[self._asks, self._dialogue.budget, self._dialogue.workers])

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        if self._variables.empty:
            return
        if trial.starts == 1:
            candidate = None if trial.token is None else self._candidate(run, trial)
            self._out[trial.id] = Out(trial.config, candidate)
        elif (out := self._out.get(trial.id)) is not None and not self._variables.same(out.config, trial.config):
            self._abandon(out.candidate)
            self._out[trial.id] = Out(trial.config, None)

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        if trial.id in self._out and run.objective.has(result):
            out = self._out[trial.id]
            out.losses = [-score for score in run.objective.scores(result)]

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        out = self._out.pop(trial.id, None)
        if out is None:
            return
        if trial.finished:
            self._tell(out, self._losses.finished(out.losses))
        elif trial.state == "STOPPED" and trial.reason != "infeasible":
            self._tell(out, self._losses.stopped(out.losses))
        else:
            self._tell(out, self._losses.failed())

    @hookimpl
    def teardown(self) -> None:
        self._dialogue = None  # the last reference: a thread, in which some optimisers run, ends with it

    def _planned(self, run: Facts) -> int:
        return self._budget or run.num_samples or BUDGET

    def _room(self, run: Facts) -> int:
        """How many trials the run can hold at once."""
        if getattr(self._maker, "no_parallelization", False):
            return 1
        held = [int(run.capacity[name] / amount) for name, amount in run.resources.items() if run.capacity.get(name) and amount]
        limits = [*held, *([] if run.max_concurrent_trials is None else [run.max_concurrent_trials])]
        return max(1, min(limits, default=1))

    def _made(self, run: Facts, root: Candidate, budget: int, workers: int) -> Dialogue:
        objectives = len(run.objective.metrics)
        made = Dialogue(self._maker, root, run.rng("nevergrad"), budget=budget, workers=workers, objectives=objectives)
        if made.threaded and workers > 1:
            return self._made(run, root, budget, 1)
        return made

    def _open(self, run: Facts, budget: int, workers: int) -> None:
        """Begin at the best of what is known already, since not every optimiser learns from what it did not propose."""
        root = self._variables.root
        if self._early and len(run.objective.metrics) == 1:
            best, _ = min(self._early, key=lambda early: early[1])
            at_best = self._variables.candidate(best.config, root)
            root = root if at_best is None else at_best
        self._dialogue = self._made(run, root, budget, workers)
        for out, losses in self._early:
            self._tell(out, losses)
        self._early.clear()

    def _ask(self) -> None:
        """What was asked for before and came to nothing, because a modifier did not want it, counts all the same."""
        assert self._dialogue is not None
        self._abandon(self._fresh)
        self._fresh = self._dialogue.ask()
        self._asks += self._fresh is not None

    def _candidate(self, run: Facts, trial: Trial) -> Candidate | None:
        """The candidate of this trial of its own, asked for just now, or again if an earlier session did.

        None where that is another one by now: the options have changed.
        """
        asks, budget, workers = trial.token
        if self._dialogue is None:
            self._open(run, budget, workers)
        while self._asks < asks:
            if not self._in_step or not self._settled():
                return None
            self._ask()
            self._in_step = self._fresh is not None
        candidate, self._fresh, self._asks = self._fresh, None, 0
        assert candidate is not None
        proposed = run.space.project(self._variables.config(candidate), run.rng("nevergrad", "projection"))
        if self._variables.same(proposed, trial.config):
            return candidate
        self._in_step = False
        self._abandon(candidate)
        return None

    def _settled(self) -> bool:
        """Whether it may be asked. One that proposes one trial at a time must have been told of all before.

        A trial that is out and has reported is paused, as far as a searcher can know: it is told as if it were stopped.
        """
        assert self._dialogue is not None
        if self._dialogue.workers > 1:
            return True
        for trial_id, out in list(self._out.items()):
            if out.candidate is not None:
                if out.losses is None:
                    return False
                del self._out[trial_id]
                self._tell(out, self._losses.stopped(out.losses))
        return True

    def _abandon(self, candidate: Candidate | None) -> None:
        """Nothing will be known of it, and a thread would wait for ever."""
        if candidate is not None and self._dialogue is not None and self._dialogue.threaded:
            self._dialogue.answer(candidate, self._losses.failed())

    def _tell(self, out: Out, losses: list[float]) -> None:
        if self._dialogue is None:
            self._early.append((out, losses))
        elif out.candidate is not None:
            self._dialogue.answer(out.candidate, losses)
        else:
            candidate = self._variables.candidate(out.config, self._dialogue.root)
            if candidate is not None and not self._dialogue.inform(candidate, losses) and not self._warned:
                self._warned = True
                warnings.warn(_DEAF.format(self._optimizer), stacklevel=2)
