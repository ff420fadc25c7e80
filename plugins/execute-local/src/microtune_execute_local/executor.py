"""The executor `local`: trials in worker processes on this machine."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence

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
)  # fmt: skip
from microtune_execute_local.crew import Crew
from microtune_execute_local.deadlines import Deadlines
from microtune_execute_local.handle import Attempt
from microtune_execute_local.kit import Kit, nameless_file
from microtune_execute_local.nursery import Nursery
from microtune_execute_local.placement import Placement
from microtune_execute_local.resources import Ledger, usable_cores


class LocalExecutor:
    """Runs trials in worker processes on this machine, which are kept warm from trial to trial.

    workers: trials at the same time, at most. Default: as many as the resources allow, so one per usable core
    resources: what there is, in place of what was found: {"cpu": 8, "gpu": 2, "licences": 3}
    output: write what a trial prints, its C libraries and child processes included, to output.txt in its folder
    preload: modules to import once, before workers are forked
    fresh: a new process for every trial
    prefetch: hand a busy worker its next trial already. Default: while trials take less than 20 ms
    start: "forkserver" or "spawn". Default: forkserver on Linux, else spawn
    """

    def __init__(
        self, *, workers: int | None = None, resources: dict[str, float] | None = None, output: bool = False,
        preload: str | Sequence[str] = (), fresh: bool = False, prefetch: bool | None = None, start: str | None = None,
    ) -> None:  # fmt: skip
        if workers is not None and workers < 1:
            raise OptionError(f"executor 'local': workers={workers}, and there must be at least one")
        if start not in (None, "forkserver", "spawn"):
            raise OptionError(f"executor 'local': start={start!r}, and it can be 'forkserver' or 'spawn'")
        self._workers = workers
        self._resources = dict(resources or {})
        self._output = output
        self._preload = [preload] if isinstance(preload, str) else list(preload)
        self._fresh = fresh
        self._prefetch = prefetch
        self._start = start or ("forkserver" if sys.platform.startswith("linux") else "spawn")
        self._crew: Crew | None = None
        self._remover = Remover()

    @hookimpl
    def setup(self, run: Facts) -> None:
        if run.remote is not None and run.remote.startswith("memory:"):
            raise OptionError("storage_path='memory://...' is within one process, and executor 'local' has several")
        if not hasattr(select, "poll"):
            raise OptionError("executor 'local' needs a POSIX system: use executor='inline' here")
        self._standard = _amounts(run.resources)
        total = {"cpu": max(usable_cores(), self._workers or 0), **self._resources}
        self._ledger = Ledger(total, self._standard, self._workers)
        if "gpu" in run.resources or "gpu" in self._resources:
            self._ledger.find_gpus()
        refusal = self._ledger.refusal(self._standard)
        if refusal is not None:
            raise OptionError(f"no trial of this run can ever start: {refusal}")
        self._kit = Kit(nameless_file("microtune-trainable"))
        placement = Placement(self._ledger, self._standard, prefetch=self._prefetch, fresh=self._fresh)
        # The template process starts while the trainable is pickled here.
        self._crew = Crew(placement, Deadlines(run.limits), _clock(), self._found_nursery)
        from microtune_execute_local.shipping import pickled

        try:
            self._kit.write((tuple(Terms.of(run)), self._output), pickled(run.trainable))
        except BaseException as error:
            self.teardown(run, error)
            raise
        self._launched = 0
        self._told_slots = 0

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        need = self._standard
        if trial.resources is not None:
            need = _amounts(trial.resources)
            if "gpu" in need:
                self._ledger.find_gpus()
            refusal = self._ledger.refusal(need)
            if refusal is not None:
                raise CannotFit(refusal)
        self._launched += 1
        standard = need == self._standard
        attempt = Attempt(self._launched, trial.id, trial.attempt, need, standard, Assignment.of(run, trial))
        self._running.launch(attempt)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        crew, told = self._running, self._told_slots
        crew.share_out()
        slots = crew.slots()
        while True:
            crew.listen(0.0 if slots > told else until, run.wakeup_fd)
            slots = crew.slots()
            if crew.reports or slots > told or crew.now >= until or crew.signalled:
                break
        self._told_slots = slots
        reports, crew.reports = crew.reports, []
        return Batch(crew.now, reports, slots, self._ledger.total)

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
        if crew is not None:
            crew.close(run.limits.grace if error is None else 0.0)
            self._kit.close()
        self._remover.close()

    def _found_nursery(self) -> Nursery:
        return Nursery(self._kit.fd, self._start, self._preload)

    @property
    def _running(self) -> Crew:
        assert self._crew is not None
        return self._crew


def _clock() -> Callable[[], float]:
    """Seconds since the epoch, from now on by a clock that nobody sets."""
    epoch = time.time() - time.monotonic()
    return lambda: epoch + time.monotonic()


def _amounts(resources: Mapping[str, float]) -> dict[str, float]:
    """What a trial needs: one CPU unless it says otherwise."""
    return {name: amount for name, amount in {"cpu": 1.0, **resources}.items() if amount != 0}
