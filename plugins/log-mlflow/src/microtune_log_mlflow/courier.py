"""Carries events to a slow place in the background, in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from microtune import Event

TOGETHER = 500  # events at most in one delivery: what is still written when `close` gives up


class Courier:
    """At most `room` events wait; then `send` waits too. With room 0 each is delivered before `send` returns."""

    def __init__(self, deliver: Callable[[list[Event]], None], room: int) -> None:
        self._deliver = deliver
        self._room = room
        self._waiting: deque[Event] = deque()
        self._on_the_way = 0
        self._changed = threading.Condition()
        self._closing = False
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="microtune-log-mlflow", daemon=True)
        if room:
            self._thread.start()

    def send(self, event: Event) -> None:
        """Raises what an earlier delivery has raised: nothing was delivered since."""
        if not self._room:
            self._deliver([event])
            return
        with self._changed:
            while len(self._waiting) >= self._room and self._problem is None:
                self._changed.wait()
            if self._problem is not None:
                raise self._problem
            self._waiting.append(event)
            self._changed.notify_all()

    def close(self, seconds: float) -> int:
        """Wait for the deliveries, but not longer; how many events were not delivered. Raises as `send` does."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._room:
            self._thread.join(seconds)
        with self._changed:
            problem, self._problem = self._problem, None
            left = len(self._waiting) + self._on_the_way
            self._waiting.clear()
        if problem is not None:
            raise problem
        return left

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                events = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
                self._on_the_way = len(events)
                self._changed.notify_all()
            if not events:
                return
            try:
                self._deliver(events)
            except Exception as problem:
                with self._changed:
                    self._problem = problem
                    self._changed.notify_all()
                return
