"""Which worker runs which trial."""

from __future__ import annotations

from collections import deque

from microtune_execute_ray.cluster import Cluster, times
from microtune_execute_ray.handle import Attempt, Handle
from microtune_execute_ray.needs import Need


class Placement:
    """Trials wait until a worker with what they need has none; which one that is shows when it calls.

    So a worker that Ray has yet to find a place for, as on a cluster that others use too, holds up no trial.
    """

    def __init__(self, cluster: Cluster, standard: Need, queue: int) -> None:
        self._cluster = cluster
        self._standard = standard
        self._queue = queue
        self._waiting: dict[Need, deque[Attempt]] = {}
        self._idle: dict[Need, list[Handle]] = {}
        self._starting: dict[Need, set[Handle]] = {}  # asked for, and not there yet
        self._odd: list[Attempt] = []  # held here, and in need of something else than the run's trials by default
        self._held = 0  # in all

    # --- room --------------------------------------------------------------------------------------------------------

    def room(self) -> int:
        """How many more standard trials fit beside those that are held."""
        standard = self._held - len(self._odd)
        room = self._cluster.fits(self._standard) - standard
        if self._odd:
            free = dict(self._cluster.total)
            for need, count in [(self._standard, standard), *((attempt.need, 1) for attempt in self._odd)]:
                for name, amount in need.total.items():
                    free[name] = free.get(name, 0.0) - amount * count
            room = min(room, times(free, self._standard.total))
        return max(0, room + self._queue)

    def hold(self, attempt: Attempt) -> None:
        self._held += 1
        if attempt.need != self._standard:
            self._odd.append(attempt)

    def let_go(self, attempt: Attempt) -> None:
        self._held -= 1
        if attempt.need != self._standard:
            self._odd.remove(attempt)

    # --- who comes next ----------------------------------------------------------------------------------------------

    def idle(self, need: Need) -> Handle | None:
        idle = self._idle.get(need)
        return idle.pop() if idle else None

    def wait(self, attempt: Attempt) -> bool:
        """True if a worker must be asked for, since each that is on its way has a trial that waits for it."""
        waiting = self._waiting.setdefault(attempt.need, deque())
        waiting.append(attempt)
        return len(self._starting.get(attempt.need, ())) < len(waiting)

    def withdraw(self, attempt: Attempt) -> bool:
        """True if this trial had not begun, and now never will."""
        if attempt.handle is not None:
            return False
        self._waiting[attempt.need].remove(attempt)
        return True

    def next(self, need: Need) -> Attempt | None:
        """The trial that has waited longest for such a worker."""
        waiting = self._waiting.get(need)
        return waiting.popleft() if waiting else None

    @property
    def anyone_waits(self) -> bool:
        return any(self._waiting.values())

    # --- workers come and go -----------------------------------------------------------------------------------------

    def expect(self, handle: Handle) -> None:
        self._starting.setdefault(handle.need, set()).add(handle)

    def arrived(self, handle: Handle) -> None:
        self._starting[handle.need].discard(handle)

    def rest(self, handle: Handle) -> None:
        self._idle.setdefault(handle.need, []).append(handle)

    def others_at_rest(self, need: Need) -> list[Handle]:
        """Workers whose resources such a trial cannot use, and may be in need of. They rest no more."""
        others = [other for other in self._idle if other != need]
        return [handle for other in others for handle in self._idle.pop(other)]

    def forget(self, handle: Handle) -> None:
        """It gets no more trials."""
        self._starting.get(handle.need, set()).discard(handle)
        idle = self._idle.get(handle.need, [])
        if handle in idle:
            idle.remove(handle)

    def bereaved(self, need: Need) -> Attempt | None:
        """A trial that waited for a worker that has died on its way here."""
        starting, waiting = self._starting.get(need, ()), self._waiting.get(need, deque())
        return waiting.popleft() if len(waiting) > len(starting) else None
