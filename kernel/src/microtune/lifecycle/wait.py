"""wait: the only place where the kernel stands still, and where time comes from."""

from __future__ import annotations

import contextlib
import math
import os
import signal

from microtune.answers import Batch, Exited, Reported
from microtune.faults import PluginError, RunError
from microtune.kernel import Kernel, say
from microtune.lifecycle import requested


def wait(k: Kernel) -> list[Reported | Exited]:
    """The executor's next batch; `k.now` and `k.room` follow it."""
    # Where nothing runs there is nothing to wait for. A run that was ended while slots were filled is drained at once.
    at_once = (k.room > 0 and not k.running and not k.leaving) or (k.stop_reason is not None and k.running > 0)
    deadline = _deadline(k)
    reports = look(k, 0.0 if at_once else deadline)
    if k.signal is not None:
        name = signal.Signals(k.signal).name
        k.stop(name)
        if k.running:
            seconds = k.facts.limits.grace
            say.warning("%s: running trials have %g s to reach a report; the same again ends the run at once", name, seconds)
        k.signal = None
        if k.facts.wakeup_fd is not None:
            with contextlib.suppress(BlockingIOError):  # interrupted by a call, not by a signal
                os.read(k.facts.wakeup_fd, 1)  # or it would wake the executor again and again
    elif k.now >= deadline:
        k.stop(f"the time budget of {k.facts.limits.time:g} s is used up")
    if k.now >= k.requests_due:
        requested.look(k)
    return reports


def look(k: Kernel, until: float) -> list[Reported | Exited]:
    """Ask the executor. A session begins with this, for the time and the room."""
    batch, who = k.ask("wait", until=until)
    if batch is None:
        raise RunError("no executor answered wait: choose one with executor=")
    if not isinstance(batch, Batch):
        raise PluginError(f"{who!r} answered wait with {batch!r}: it answers a Batch")
    k.now = k.facts.now = batch.now
    k.facts.capacity = batch.capacity
    limit = k.policy.max_concurrent
    k.room = batch.slots if limit is None else min(batch.slots, limit)
    reports: list[Reported | Exited] = batch.reports
    return reports


def _deadline(k: Kernel) -> float:
    budget = k.facts.limits.time
    if budget is None or k.stop_reason is not None:
        return math.inf
    assert k.state.session_began is not None  # `Run.start` wrote the session's first event
    return k.state.session_began + budget - k.state.elapsed
