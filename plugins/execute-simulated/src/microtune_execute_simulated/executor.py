"""The executor `simulated`: trials in virtual time."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from microtune import (
    Batch,
    Continue,
    Decision,
    Discard,
    Exited,
    Facts,
    Float,
    Integer,
    Normal,
    OptionError,
    Pause,
    Reported,
    Result,
    RunError,
    Terms,
    Trainable,
    Trial,
    hookimpl,
)
from microtune_execute_simulated.costs import Costs
from microtune_execute_simulated.curves import Curve
from microtune_execute_simulated.simulation import Simulation
from microtune_execute_simulated.story import Stories


class SimulatedExecutor:
    """Runs any trainable in virtual time: the metrics are real, the seconds are those that you say.

    workers: how many trials run at the same time
    seconds: what a step takes: a number, a distribution such as microtune.uniform(1, 3), the name of a metric that holds
        it, or a function of config, iteration and metrics
    startup: seconds from the launch of an attempt to its first step
    saving: seconds to write a checkpoint, which the step that reports it, or the trial that leaves, takes longer
    restoring: seconds to begin from a checkpoint
    stragglers: each attempt takes 1 + |z| times as long, with z normal and this its standard deviation
    crashes: how often a trial fails with an error, per second that it runs
    preemptions: how often a trial loses its worker, per second that it runs

    The clock begins at 0 and jumps to what happens next. What is due at the same moment happens in the order of the trials'
    numbers, one report in a turn, so that each is decided, and its slot filled, before the next is heard. Decisions take no
    time: a trial waits for them in `report`, so one that is paused or stopped leaves at that report, and its worker is free
    once its checkpoint is written. Trials that the end of the run calls away leave at their next report, or are killed when
    the virtual grace period is over. Time limits are virtual too; a trainable that computes for ever cannot be ended.

    A `Curve` or a `Table` is stepped without a thread; any other trainable has one for each trial that runs. A step is
    computed when it begins, and heard when it ends.
    """

    deterministic = True

    def __init__(
        self, *, workers: int = 1, seconds: float | str | Float | Integer | Normal | Callable[..., float] = 1.0,
        startup: float = 0.0, saving: float = 0.0, restoring: float = 0.0, stragglers: float = 0.0, crashes: float = 0.0,
        preemptions: float = 0.0,
    ) -> None:  # fmt: skip
        if workers < 1:
            raise OptionError(f"executor 'simulated': workers={workers}, and there must be at least one")
        amounts = {
            "startup": startup,
            "saving": saving,
            "restoring": restoring,
            "crashes": crashes,
            "preemptions": preemptions,
        }
        for name, amount in {**amounts, "stragglers": stragglers}.items():
            if not 0 <= amount < math.inf:
                raise OptionError(
                    f"executor 'simulated': {name}={amount!r}, and it must be 0 or a finite positive number"
                )
        self._workers = workers
        self._costs = Costs(seconds, stragglers, **amounts)
        self._capacity = {"cpu": float(workers)}
        self._simulation: Simulation | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        saves, at_end = _saves(run.trainable), Terms.of(run).at_end
        self._stories = Stories(self._workers, self._costs.saving, on_pause=saves, on_stop=saves and at_end)
        self._simulation = Simulation(run, self._costs, self._stories)

    # --- what is told, and told again on a resume --------------------------------------------------------------------

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        self._stories.start(run, trial)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        self._stories.report(trial, result)

    @hookimpl
    def on_pause(self, run: Facts, trial: Trial) -> None:
        self._stories.pause(run, trial)

    @hookimpl
    def on_end(self, run: Facts, trial: Trial) -> None:
        self._stories.end(run, trial)

    # --- the executor's hooks ----------------------------------------------------------------------------------------

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        self._running.launch(run, trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        simulation = self._running
        simulation.now = max(simulation.now, run.now)  # where the journal of an earlier session ends
        if until <= simulation.now:
            return self._batch([])
        if not simulation.find_out(run):
            return self._batch([])
        due = simulation.due()
        if due == until == math.inf:
            raise RunError("nothing runs in the simulation and nothing is waited for: its clock would never move again")
        if due <= until:
            return self._batch(simulation.hear())
        simulation.now = until
        return self._batch([])

    @hookimpl
    def steer(self, run: Facts, trial: Trial, decision: Decision | Discard) -> None:
        if isinstance(decision, Continue):
            self._running.let_go_on(trial.id)
        elif isinstance(decision, Discard):
            self._running.remover.remove(decision.url)
        else:
            self._running.halt(run, trial.id, "pause" if isinstance(decision, Pause) else "stop")

    @hookimpl
    def teardown(self, run: Facts, error: BaseException | None) -> None:
        if self._simulation is not None:
            self._simulation.close()

    @property
    def _running(self) -> Simulation:
        assert self._simulation is not None
        return self._simulation

    def _batch(self, reports: list[Reported | Exited]) -> Batch:
        return Batch(self._running.now, reports, self._workers, self._capacity)


def _saves(trainable: Any) -> bool:
    """Whether a trial writes a checkpoint when it is told to leave, without a report."""
    if inspect.isclass(trainable):
        return getattr(trainable, "save_checkpoint", None) is not Trainable.save_checkpoint
    return isinstance(trainable, Curve)
