"""log: committed events go to the loggers, at least once and in order."""

from __future__ import annotations

from microtune.events import Event
from microtune.kernel import Kernel


def log(k: Kernel) -> None:
    events, k.to_log = k.to_log, []
    for event in events:
        deliver_event(k, event)
    if events:
        k.logged = events[-1].seq


def deliver_event(k: Kernel, event: Event, only: frozenset[str] | None = None) -> None:
    """To every logger, or to those named."""
    arguments = {"run": k.facts, "event": event}
    for call in k.plugins.calls["log"]:
        if only is None or call.composed.name in only:
            k.observe(call, "log", arguments)
