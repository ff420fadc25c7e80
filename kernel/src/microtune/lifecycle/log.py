"""log: committed events go to the loggers, at least once and in order."""

from __future__ import annotations

from microtune.events import Event
from microtune.kernel import Kernel


def log(k: Kernel) -> None:
    for event in k.to_log:
        deliver_event(k, event)
        k.logged = event.seq
    k.to_log = []  # not before: where a signal breaks in, they are delivered again


def deliver_event(k: Kernel, event: Event, only: frozenset[str] | None = None) -> None:
    """To every logger, or to those named."""
    arguments = {"run": k.facts, "event": event}
    for call in k.plugins.calls["log"]:
        if only is None or call.composed.name in only:
            k.observe(call, "log", arguments)
