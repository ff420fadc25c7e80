"""Fakes: small real plugins with a virtual clock, for the kernel's own tests and for the contracts."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import Any

from microtune import (
    Assignment,
    Batch,
    CannotFit,
    Continue,
    Decision,
    Discard,
    Done,
    Event,
    Exited,
    Facts,
    Failure,
    Outcome,
    Pause,
    Remover,
    Reported,
    Result,
    Start,
    Terms,
    Trial,
    TrialThread,
    checkpoint_iteration,
    hookimpl,
)


class FakeExecutor:
    """Runs any trainable in this process, deterministically, in virtual time.

    workers: how many trials it holds. duration: virtual seconds from a trial's last new result (or its start) to the next,
    as a function of config and iteration. capacity: what a trial may ask for; None: anything fits.
    """

    deterministic = True

    def __init__(
        self,
        *,
        workers: int = 1,
        duration: Callable[[dict[str, Any], int], float] | float = 1.0,
        capacity: dict[str, float] | None = None,
    ) -> None:
        self.workers = workers
        self.capacity = capacity
        self.launched: list[tuple[str, int]] = []
        self.steered: list[tuple[str, str]] = []
        self.discarded: list[str] = []
        self._duration = duration if callable(duration) else lambda config, iteration: duration
        self._now = 0.0
        self._since: dict[str, float] = {}  # `at` of a trial's last result, or of its start: what a replay tells too
        # (time of its next word, tie: number of the trial, trial id)
        self._next: list[tuple[float, int, str]] = []
        self._held: dict[str, tuple[Trial, TrialThread]] = {}
        self._iterations: dict[str, int] = {}
        self._answers: dict[str, str] = {}
        self._begun: set[str] = set()
        self._idle: list[TrialThread] = []
        self._remover = Remover()
        self._all: list[TrialThread] = []

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._terms = Terms.of(run)
        self._now = run.now

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        self._since[trial.id] = run.now

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        self._since[trial.id] = result.at

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._since.pop(trial.id, None)

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        resources = trial.resources or run.resources
        for name, amount in resources.items() if self.capacity is not None else ():
            if amount > (self.capacity or {}).get(name, 0):
                raise CannotFit(f"trial {trial.id} asks for {amount:g} {name}; there is {(self.capacity or {}).get(name, 0):g}")
        self.launched.append((trial.id, trial.attempt))
        thread = self._idle.pop() if self._idle else TrialThread(run.trainable, self._terms)
        if thread not in self._all:
            self._all.append(thread)
        self._held[trial.id] = (trial, thread)
        self._iterations[trial.id] = checkpoint_iteration(trial.checkpoint)
        self._answers.pop(trial.id, None)
        self._schedule(trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        self._now = max(self._now, run.now)
        if until <= self._now:
            return self._batch([])
        if not self._next:
            if until == float("inf"):
                raise RuntimeError("nothing runs, so waiting would never end: the kernel should not have asked")
            self._now = until
            return self._batch([])
        if self._next[0][0] > until:
            self._now = until
            return self._batch([])
        self._now, _, trial_id = heapq.heappop(self._next)
        return self._batch(self._step(run, trial_id))

    @hookimpl
    def steer(self, run: Facts, trial: Trial, decision: Decision | Discard) -> None:
        if isinstance(decision, Discard):
            self.discarded.append(decision.url)
            self._remover.remove(decision.url)
            return
        self.steered.append((trial.id, type(decision).__name__))
        if trial.id not in self._held:
            return
        if not isinstance(decision, Continue):
            self._answers[trial.id] = "pause" if isinstance(decision, Pause) else "stop"
        if all(entry[2] != trial.id for entry in self._next):  # it waits for this answer
            self._schedule(self._held[trial.id][0])

    @hookimpl
    def teardown(self, run: Facts, error: BaseException | None) -> None:
        for thread in self._all:
            thread.close(timeout=5)
        self._remover.close()

    def _schedule(self, trial: Trial) -> None:
        at, iteration = self._now, self._iterations[trial.id] + 1
        # To leave takes no time, nor does what a retry repeats.
        if trial.id not in self._answers and iteration > trial.iteration:
            at = max(at, self._since.get(trial.id, at) + self._duration(trial.config, iteration))
        heapq.heappush(self._next, (at, trial.number, trial.id))

    def _step(self, run: Facts, trial_id: str) -> list[Reported | Exited]:
        trial, thread = self._held[trial_id]
        answer = self._answers.get(trial_id, "continue")
        if trial_id not in self._begun:
            self._begun.add(trial_id)
            thread.begin(Assignment.of(run, trial))
        else:
            thread.go(answer)
        word = thread.said()
        while not isinstance(word, Outcome) and answer != "continue":  # it has been told, and reports all the same
            thread.go(answer)
            word = thread.said()
        if not isinstance(word, Outcome):
            assert word is not None
            self._iterations[trial_id] = word.iteration
            return [Reported(trial_id, trial.attempt, self._now, word.metrics, word.iteration, word.checkpoint)]
        del self._held[trial_id]
        self._begun.discard(trial_id)
        self._idle.append(thread)
        reports: list[Reported | Exited] = []
        if word.metrics is not None:
            reports.append(Reported(trial_id, trial.attempt, self._now, word.metrics, word.iteration))
        reports.append(Exited(trial_id, trial.attempt, self._now, word.failure, word.checkpoint, word.iteration))
        return reports

    def _batch(self, reports: list[Reported | Exited]) -> Batch:
        return Batch(self._now, reports, self.workers, self.capacity or {"cpu": float(self.workers)})


class ScriptedExecutor:
    """Reports what a test tells it to report, in one batch: for what no trainable in this process can do.

    `now` moves one second at every batch with reports.
    """

    def __init__(self, *, slots: int = 1) -> None:
        self.slots = slots
        self.now = 0.0
        self.launched: list[Trial] = []
        self.steered: list[tuple[str, Decision | Discard]] = []
        self._reports: list[Reported | Exited] = []

    def reports(
        self, trial_id: str, iteration: int, *, checkpoint: str | None = None, attempt: int | None = None, **metrics: Any
    ) -> None:
        attempt = self._attempt(trial_id) if attempt is None else attempt
        self._reports.append(Reported(trial_id, attempt, self.now + 1, metrics, iteration, checkpoint))

    def exits(
        self,
        trial_id: str,
        failure: str | None = None,
        *,
        checkpoint: str | None = None,
        iteration: int | None = None,
        attempt: int | None = None,
    ) -> None:
        """failure: its kind."""
        attempt = self._attempt(trial_id) if attempt is None else attempt
        why = None if failure is None else Failure(failure, f"{failure} in the script")
        self._reports.append(Exited(trial_id, attempt, self.now + 1, why, checkpoint, iteration))

    @hookimpl
    def launch(self, trial: Trial) -> None:
        self.launched.append(trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        self.now = max(self.now, run.now)
        reports, self._reports = self._reports, []
        if reports:
            self.now += 1
        elif until == float("inf"):
            raise RuntimeError("the script is at its end, and the kernel waits for a report")
        else:
            self.now = max(self.now, until)
        return Batch(self.now, reports, self.slots, {"cpu": float(self.slots)})

    @hookimpl
    def steer(self, trial: Trial, decision: Decision | Discard) -> None:
        self.steered.append((trial.id, decision))

    def _attempt(self, trial_id: str) -> int:
        attempt: int = next(trial.attempt for trial in reversed(self.launched) if trial.id == trial_id)
        return attempt


class FakeSearcher:
    """Proposes these configs in turn, or samples the space for ever; remembers every tell."""

    def __init__(self, *, configs: Iterable[dict[str, Any]] | None = None) -> None:
        self.configs = None if configs is None else list(configs)
        self.told: list[tuple[Any, ...]] = []
        self.started = 0

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start | Done:
        if self.configs is None:
            return Start(run.space.sample(rng))
        if self.started >= len(self.configs):
            return Done("all configs have been proposed")
        return Start(self.configs[self.started], token=self.started)

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        self.told.append(("start", trial.id, trial.starts))
        self.started += trial.token is not None and trial.starts == 1

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        self.told.append(("result", trial.id, result.training_iteration, result.metrics))

    @hookimpl
    def on_pause(self, trial: Trial) -> None:
        self.told.append(("pause", trial.id, trial.starts))

    @hookimpl
    def on_end(self, run: Facts, trial: Trial) -> None:
        self.told.append(("end", trial.id, trial.state))


class FakeScheduler:
    """Decides by a function of (trial, result) and suggests by a function of (run, rng)."""

    def __init__(
        self,
        *,
        decide: Callable[[Trial, Result], Any] = lambda trial, result: None,
        suggest: Callable[[Facts], Any] = lambda run: None,
    ) -> None:
        self._decide = decide
        self._suggest = suggest

    @hookimpl
    def decide(self, run: Facts, trial: Trial, result: Result) -> Any:
        return self._decide(trial, result)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Any:
        return self._suggest(run)


class FakeLogger:
    """Remembers every event that it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @hookimpl
    def log(self, run: Facts, event: Event) -> None:
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]
