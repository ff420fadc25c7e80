"""The executor `ray`: trials in actors on a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from microtune import (
    Assignment,
    Batch,
    CannotFit,
    Continue,
    Decision,
    Discard,
    Facts,
    OptionError,
    Remover,
    Stop,
    Terms,
    Trial,
    hookimpl,
)
from microtune_execute_ray.cluster import Cluster
from microtune_execute_ray.crew import Crew
from microtune_execute_ray.deadlines import Deadlines
from microtune_execute_ray.handle import Attempt
from microtune_execute_ray.hiring import Agency
from microtune_execute_ray.needs import STRATEGIES, Need
from microtune_execute_ray.placement import Placement
from microtune_execute_ray.shipping import shipped

Needs = dict[str, float] | list[dict[str, float]]


class RayExecutor:
    """Runs trials on a Ray cluster, in actors that are kept warm between trials that need the same.

    address: of the cluster to join, such as "auto". Default: the caller's ray.init, else whatever ray.init() finds or starts
    init: further arguments of ray.init: {"num_cpus": 4}
    trial_resources: what a trial needs, in place of the Tuner's resources: a dict, a list of them (bundles of a placement
        group; the trial runs in the first), or a function of the config that returns either
    strategy: how bundles are spread over nodes: PACK, SPREAD, STRICT_PACK or STRICT_SPREAD
    reserve: False: bundles after the first are only counted, for trials that ask Ray for them on their own, as Ray Train does
    runtime_env: Ray's, for the workers: {"pip": [...], "env_vars": {...}}
    fresh: a new actor for every trial
    queue: trials handed to Ray beyond what fits now, so that an autoscaler adds nodes for them; then nothing is refused
    """

    def __init__(
        self, *, address: str | None = None, init: dict[str, Any] | None = None,
        trial_resources: Needs | Callable[[dict[str, Any]], Needs] | None = None, strategy: str = "PACK",
        reserve: bool = True, runtime_env: dict[str, Any] | None = None, fresh: bool = False, queue: int = 0,
    ) -> None:  # fmt: skip
        if strategy not in STRATEGIES:
            raise OptionError(f"executor 'ray': strategy={strategy!r}, and it can be {', '.join(STRATEGIES)}")
        if queue < 0:
            raise OptionError(f"executor 'ray': queue={queue}, and it cannot be negative")
        self._address = address
        self._init = dict(init or {})
        self._trial_resources = trial_resources
        self._strategy = strategy
        self._reserve = reserve
        self._runtime_env = runtime_env
        self._fresh = fresh
        self._queue = queue
        self._cluster: Cluster | None = None
        self._crew: Crew | None = None
        self._remover = Remover()

    @hookimpl
    def setup(self, run: Facts) -> None:
        if run.remote is not None and run.remote.startswith("memory:"):
            raise OptionError("storage_path='memory://...' is within one process, and executor 'ray' has several")
        given = self._trial_resources
        self._standard = Need.of(run.resources if given is None or callable(given) else given)
        self._cluster = cluster = Cluster(self._strategy)
        try:
            cluster.join(self._address, self._init)
            refusal = None if self._queue or callable(given) else cluster.refusal(self._standard)
            if refusal is not None:
                raise OptionError(f"no trial of this run can ever start: {refusal}")
            together = self._strategy if self._reserve else None
            agency = Agency(together, self._runtime_env, tuple(Terms.of(run)), shipped(run.trainable))
            placement = Placement(cluster, self._standard, self._queue)
            self._crew = Crew(cluster, placement, agency, Deadlines(run.limits), self._fresh, _clock())
        except BaseException as error:
            self.teardown(run, error)
            raise
        self._launched = 0
        self._told_slots = 0

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        need = self._need(trial)
        refusal = None if self._queue else self._joined.refusal(need)
        if refusal is not None:
            raise CannotFit(refusal)
        self._launched += 1
        assignment = Assignment.of(run, trial)._replace(resources=need.own)
        self._running.launch(Attempt(self._launched, trial.id, trial.attempt, need, tuple(assignment)))

    def _need(self, trial: Trial) -> Need:
        if trial.resources is not None:
            return Need.of(trial.resources)
        if callable(self._trial_resources):
            return Need.of(self._trial_resources(trial.config))
        return self._standard

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        crew, told = self._running, self._told_slots
        slots = crew.slots()
        while True:
            crew.listen(0.0 if slots > told else until, run.wakeup_fd)
            slots = crew.slots()
            if crew.reports or slots > told or crew.now >= until or crew.signalled:
                break
        self._told_slots = slots
        reports, crew.reports = crew.reports, []
        return Batch(crew.now, reports, slots, dict(self._joined.total))

    @hookimpl
    def steer(self, run: Facts, trial: Trial, decision: Decision | Discard) -> None:
        if isinstance(decision, Continue):
            self._running.let_go_on(trial.id)
        elif isinstance(decision, Discard):
            self._remover.remove(decision.url)
        else:
            self._running.halt(trial.id, "stop" if isinstance(decision, Stop) else "pause")

    @hookimpl
    def teardown(self, run: Facts, error: BaseException | None) -> None:
        crew, self._crew = self._crew, None
        cluster, self._cluster = self._cluster, None
        try:
            if crew is not None:
                crew.close(run.limits.grace if error is None else 0.0)
        finally:
            if cluster is not None:
                cluster.leave()
        self._remover.close()

    @property
    def _running(self) -> Crew:
        assert self._crew is not None
        return self._crew

    @property
    def _joined(self) -> Cluster:
        assert self._cluster is not None
        return self._cluster


def _clock() -> Callable[[], float]:
    """Seconds since the epoch, from now on by a clock that nobody sets."""
    epoch = time.time() - time.monotonic()
    return lambda: epoch + time.monotonic()
