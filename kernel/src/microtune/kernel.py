"""What the phases of a turn work on: the facts, the plugins, the journal, the state, and what this turn still has to do."""

from __future__ import annotations

import logging
import math
from typing import Any

from microtune import events as ev
from microtune.answers import Decision, Pause
from microtune.compose import Call, Plugins, deliver
from microtune.events import Event
from microtune.facts import Facts
from microtune.faults import CannotFit, PluginError
from microtune.journal import Journal
from microtune.replay import Life, State
from microtune.trial import RUNNING, Trial

LOGGED_EVERY = 100  # events

say = logging.getLogger("microtune")


class Policy:
    """What the user asked of the kernel itself."""

    __slots__ = ("fail_fast", "max_concurrent", "max_failures")

    def __init__(self, max_failures: int = 0, fail_fast: bool = False, max_concurrent: int | None = None) -> None:
        self.max_failures = max_failures  # counted failures of one trial that are retried; -1: no limit
        self.fail_fast = fail_fast
        self.max_concurrent = max_concurrent


class Kernel:
    """One session of one run. The files of `lifecycle/` are its verbs."""

    def __init__(self, facts: Facts, plugins: Plugins, journal: Journal, state: State, policy: Policy) -> None:
        self.facts = facts
        self.plugins = plugins
        self.journal = journal
        self.state = state
        self.policy = policy
        self.now = 0.0
        self.room = 0  # trials that may run now
        self.steers: dict[str, tuple[Trial, Decision]] = {}  # in the order of the reports
        self.launches: list[Trial] = []
        self.leaving: dict[str, int] = {}  # trial id -> attempt that obeys a decision and has not left yet
        self.drained: set[str] = set()  # of these, the ones that the end of the run told to leave: their last report counts
        self.fresh_checkpoints: list[tuple[Trial, str, Life]] = []
        self.doomed: list[tuple[Trial, str]] = []  # checkpoints to delete once that is committed
        self.to_log: list[Event] = []  # committed, not yet logged
        self.logged = state.seq  # the last event that the loggers have had
        self.to_stop: set[str] = set()  # ids of trials that somebody outside wants stopped
        self.requests_due = -math.inf  # when that is looked for again
        self.stop_reason: str | None = None  # the run is to end
        self.signal: int | None = None
        self.error: Exception | None = None  # raised once the run has drained
        self.starting_over = False  # it has been said that paused trials start over, for want of a checkpoint
        self.replaying = False
        self.late_faults: list[dict[str, str]] = []  # of loggers during the replay, which writes nothing
        self.idle: str | None = None  # why nothing was suggested
        self.done = False

    # --- writing -----------------------------------------------------------------------------------------------------

    def record(self, kind: str, trial_id: str | None, body: dict[str, Any], at: float | None = None) -> Any:
        """Write an event down and apply it; returns its trial (a Trial wherever the kind has one)."""
        event = Event(self.state.seq + 1, self.now if at is None else at, kind, trial_id, body)
        self.journal.append(event)
        try:
            return self.state.apply(event)
        except BaseException:
            self.journal.retract()  # what the fold refuses once it would refuse at every resume
            raise

    def commit(self) -> None:
        fresh = self.journal.fresh
        if not fresh:
            return
        has_loggers = bool(self.plugins.calls["log"])
        # Stored now and then only, since it costs a third of a commit: after a crash loggers hear the last ones again.
        due = has_loggers and fresh[-1].seq // LOGGED_EVERY > (fresh[0].seq - 1) // LOGGED_EVERY
        self.journal.commit(self.logged if due else None)
        if has_loggers:
            self.to_log += fresh

    # --- asking and telling ------------------------------------------------------------------------------------------

    def ask(self, hook: str, **arguments: Any) -> tuple[Any, str | None]:
        """The first answer that is not None, and the name of the plugin that gave it."""
        arguments["run"] = self.facts
        for call in self.plugins.calls[hook]:
            answer = self.observe(call, hook, arguments) if call.observes else deliver(call, hook, arguments)
            if answer is not None:
                return answer, call.composed.name
        return None, None

    def tell(self, hook: str, **arguments: Any) -> None:
        """Everyone hears. A logger that raises is quarantined; anyone else stops the run."""
        arguments["run"] = self.facts
        for call in self.plugins.calls[hook]:
            if call.observes:
                self.observe(call, hook, arguments)
            else:
                deliver(call, hook, arguments)

    def observe(self, call: Call, hook: str, arguments: dict[str, Any]) -> Any:
        """Call a logger; one that raises is called no more, but for its teardown."""
        try:
            return deliver(call, hook, arguments)
        except (PluginError, CannotFit) as error:
            self.plugins.quarantine(call.composed)
            self.journal.retire_logger(call.composed.name)
            say.warning("%s. It is called no more; the run goes on.", error)
            fault = {"plugin": call.composed.title, "hook": hook, "message": str(error)}
            if self.replaying:
                self.late_faults.append(fault)
            else:
                self.record(ev.FAULT, None, fault)
            return None

    # --- ending ------------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """End the run after this batch. The first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason

    def drain(self) -> None:
        """Interrupt what runs: it is PENDING from now on, keeps its place, and is taken first by a resume."""
        for trial in self.state.unfinished(RUNNING):
            interrupted = self.record(ev.INTERRUPTED, trial.id, {"reason": self.stop_reason})
            self.leaving[trial.id] = trial.attempt
            self.drained.add(trial.id)
            self.steers[trial.id] = (interrupted, Pause(self.stop_reason or ""))

    @property
    def running(self) -> int:
        return self.state.counts[RUNNING]
