"""Run: one session of a run. `step()` is one turn, so a notebook, a server or a test can drive it."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterator
from typing import Any

from microtune import __version__
from microtune import events as ev
from microtune.bodies import encode
from microtune.compose import LOGGER, Plugins, deliver
from microtune.facts import Facts
from microtune.faults import RunError
from microtune.journal import Journal
from microtune.kernel import Kernel, Policy, say
from microtune.lifecycle.log import deliver_event, log
from microtune.lifecycle.recover import recover
from microtune.lifecycle.reopen import reopen
from microtune.lifecycle.turn import take_turn
from microtune.lifecycle.wait import look
from microtune.objective import Objective
from microtune.replay import State, replay, searcher_of


class Run:
    """Open a session with `start()`, drive it with `step()` until that is False, and always `close()` it."""

    def __init__(
        self,
        facts: Facts,
        plugins: Plugins,
        journal: Journal,
        policy: Policy,
        settings: dict[str, Any],
        *,
        resume: bool,
        retry_failed: bool = False,
    ) -> None:
        state = State(facts.path, facts.objective.has, _keep_by(facts))
        self._kernel = Kernel(facts, plugins, journal, state, policy)
        self._settings = settings
        self._resume = resume
        self._retry_failed = retry_failed
        self._set_up: list[Any] = []
        self._known: dict[str, list[str]] = {}  # the checkpoints of each trial that an earlier session left
        self._over = False
        self._closed = False

    @property
    def facts(self) -> Facts:
        return self._kernel.facts

    @property
    def counts(self) -> dict[str, int]:
        """How many trials are in each state."""
        return dict(self._kernel.state.counts)

    def start(self) -> None:
        """Set up every plugin, then tell them the journal of earlier sessions; one that refuses ends it here."""
        k = self._kernel
        try:
            for call in k.plugins.calls["setup"]:
                self._set_up.append(call.composed)
                deliver(call, "setup", {"run": k.facts})
            if self._resume:
                self._replay()
            self._greet_loggers()
            look(k, until=0.0)
            self._open()
            k.commit()
        except BaseException as error:
            try:
                self._teardown(error)
            finally:
                k.journal.close()
                if not self._resume:
                    k.journal.discard()
            raise

    def step(self) -> bool:
        """One turn; False once the run is over. On an error what was recorded is committed first."""
        k = self._kernel
        try:
            more = take_turn(k)
        except BaseException:
            k.commit()
            raise
        self._over = not more
        if self._over and k.error is not None:
            raise k.error
        return more

    def drive(self) -> None:
        """Step until the run is over, and close it."""
        error: BaseException | None = None
        try:
            while self.step():
                pass
        except BaseException as problem:
            error = problem
            raise
        finally:
            self.close(error)

    def interrupt(self, signum: int) -> None:
        """Ask for an orderly end at the next turn; safe in a signal handler."""
        self._kernel.signal = signum

    def close(self, error: BaseException | None = None) -> None:
        """Write the session's last event, let the loggers have it, and tear everything down."""
        if self._closed:
            return
        self._closed = True
        k = self._kernel
        try:
            k.record(ev.CLOSED, None, self._closing(error))
            k.commit()
            log(k)
            k.journal.commit(k.logged)
            k.journal.index()
        except RunError:
            if error is None:
                raise
        finally:
            try:
                failed = self._teardown(error)
            finally:
                k.journal.close()
        if error is None and failed is not None:
            raise failed

    @property
    def outcome(self) -> tuple[bool, str]:
        """(nothing is left to do, why the session ended)"""
        k = self._kernel
        if k.stop_reason is not None:
            return False, k.stop_reason
        if not self._over:
            return False, "it was closed before it was over"
        return True, k.idle or "done"

    def _closing(self, error: BaseException | None) -> dict[str, Any]:
        finished, reason = self.outcome
        if error is None:
            return {"reason": reason, "finished": finished}
        return {"reason": type(error).__name__, "finished": False, "error": str(error)}

    # --- a session's beginning ---------------------------------------------------------------------------------------

    def _replay(self) -> None:
        k = self._kernel
        k.replaying = True

        def clock(at: float) -> None:
            k.facts.now = at

        events = _noting_checkpoints(k.journal.events(), self._known)
        replay(k.state, events, k.tell, searcher_of(self._settings), clock)
        k.replaying = False
        k.now = k.state.last_at
        for fault in k.late_faults:
            k.record(ev.FAULT, None, fault)

    def _greet_loggers(self) -> None:
        """Each logger hears what it has not had yet; one that is new hears everything."""
        k = self._kernel
        k.logged = k.state.seq - len(k.journal.fresh)
        had = k.journal.loggers()
        names = [c.name for c in k.plugins.of(LOGGER)]
        behind = {name: had.get(name, 0) for name in names if had.get(name, 0) < k.logged}
        if behind:
            for event in k.journal.events(min(behind.values())):
                deliver_event(k, event, frozenset(name for name, seq in behind.items() if seq < event.seq))
        k.journal.set_loggers(dict.fromkeys(names, k.logged))

    def _open(self) -> None:
        """The session's first events."""
        k = self._kernel
        head = {"version": ev.VERSION, "kernel": __version__, "host": socket.gethostname(), "pid": os.getpid()}
        if not self._resume:
            identity = {"id": k.facts.id, "name": k.facts.name, "python": platform.python_version()}
            k.record(ev.OPENED, None, {**head, **identity, "settings": self._settings})
            return
        old = k.state.settings
        changed = {key: value for key, value in self._settings.items() if encode({"": value}) != encode({"": old.get(key)})}
        new_scheduler = _scheduler(self._settings) != _scheduler(old)
        asked = {"retry_failed": True} if self._retry_failed else {}
        k.record(ev.CHANGED, None, {**head, **asked, "settings": changed})
        k.facts.elapsed = k.state.elapsed
        reopen(k, new_scheduler=new_scheduler, new_space="param_space" in changed, retry_failed=self._retry_failed)
        known, self._known = self._known, {}
        recover(k, known)

    # --- a session's end ---------------------------------------------------------------------------------------------

    def _teardown(self, error: BaseException | None) -> Exception | None:
        """Everyone that was set up, in the reverse order, whatever the others raise."""
        k = self._kernel
        failed: Exception | None = None
        forced: BaseException | None = None
        for call in reversed(k.plugins.calls["teardown"]):
            if call.composed not in self._set_up and _has_setup(k.plugins, call):
                continue
            try:
                deliver(call, "teardown", {"run": k.facts, "error": error})
            except Exception as problem:
                say.warning("%s", problem)
                if call.composed.role != LOGGER:
                    failed = failed or problem
            except BaseException as problem:  # a second Ctrl-C ends this plugin's teardown, not that of the others
                forced = problem
        if forced is not None:
            raise forced
        return failed


def _has_setup(plugins: Plugins, call: Any) -> bool:
    return any(other.composed is call.composed for other in plugins.calls["setup"])


def _keep_by(facts: Facts) -> Callable[[dict[str, Any]], float] | None:
    """What the kept checkpoints are ranked by; without a metric all are equal and the last ones stay."""
    keep = facts.checkpoints
    if keep.get("keep") is None:
        return None
    if keep.get("metric") is None:
        return lambda metrics: 0.0
    return Objective(keep["metric"], keep.get("mode", "max")).score


def _scheduler(settings: dict[str, Any]) -> Any:
    return [[p.get("name"), p.get("class")] for p in settings.get("plugins", ()) if p["role"] == "scheduler"]


def _noting_checkpoints(events: Iterator[ev.Event], known: dict[str, list[str]]) -> Iterator[ev.Event]:
    """The same events; `known` gets the checkpoints of each trial that were committed and not deleted, in their order."""
    for event in events:
        if event.kind == ev.CHECKPOINT and event.trial is not None:
            known.setdefault(event.trial, []).append(event.body["path"])
        elif event.kind == ev.DELETED:
            for paths in known.values() if event.trial is None else [known.get(event.trial, [])]:
                if event.body["path"] in paths:
                    paths.remove(event.body["path"])
        yield event
