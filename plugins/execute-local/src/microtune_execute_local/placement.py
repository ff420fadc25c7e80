"""Which worker runs which trial."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from microtune_execute_local.handle import PACKETS, Attempt, Handle
from microtune_execute_local.resources import Ledger, Share

# Seconds. Only trials shorter than this are asked for before a worker is free: what is suggested early is suggested with
# less known, and what a turn of the loop costs (0.1 ms) is lost on a longer trial anyway.
BRIEF = 0.02
# Seconds that a worker has to start and to import the trainable's modules, before its first trial's time begins.
LOADING = 60.0
MEMORY = 0.1  # of the moving average of trials' seconds


class Placement:
    # The crew's: start a worker that sees these GPUs; let one go.
    hire: Callable[[str | None], Handle]
    dismiss: Callable[[Handle], None]

    def __init__(self, ledger: Ledger, standard: dict[str, float], *, prefetch: bool | None, fresh: bool) -> None:
        self.waiting: deque[Attempt] = deque()  # launched, and nowhere yet
        self._ledger = ledger
        self._can_prefetch = prefetch is not False and not fresh and PACKETS and "gpu" not in standard
        self._brief = prefetch is True
        self._adaptive = prefetch is None
        self._fresh = fresh
        self._idle: list[Handle] = []
        self._can_queue: dict[Handle, None] = {}  # they run a standard trial and have none to follow it
        self._has_queued: dict[Handle, None] = {}  # they have
        self._average: float | None = None

    def slots(self, running: int) -> int:
        """How many trials to hold, where `running` are held that have not been told to leave."""
        if self.waiting:
            return running
        room = self._ledger.room()
        if self._can_prefetch and self._brief:
            return running + 2 * room + len(self._can_queue)  # two per worker: the current and the next one
        return running + room

    def fill(self, now: float) -> None:
        """Place what waits, in the order of launch: a large trial is not overtaken for ever by small ones."""
        while self.waiting and self._place(self.waiting[0], now):
            self.waiting.popleft()

    def _place(self, attempt: Attempt, now: float) -> bool:
        share = self._ledger.take(attempt.need)
        if share is not None:
            self._begin(attempt, share, now)
            return True
        if self._can_prefetch and self._brief and attempt.standard and self._can_queue:
            handle = next(iter(self._can_queue))  # the one that has been without longest
            if handle.send_ahead(attempt.frame(None)):
                del self._can_queue[handle]
                self._has_queued[handle] = None
                attempt.handle = handle
                handle.next = attempt
                handle.next_since = now
                return True
        return False

    def _begin(self, attempt: Attempt, share: Share, now: float) -> None:
        gpus = self._ledger.visible_to(share)
        handle = self._worker_with(gpus)
        handle.share = (attempt.need, share)
        handle.current = attempt
        attempt.handle = handle
        attempt.began = attempt.heard = now if handle.loaded else now + LOADING
        handle.send(attempt.frame(gpus))
        if attempt.standard:
            self._can_queue[handle] = None

    def _worker_with(self, gpus: str | None) -> Handle:
        for i in range(len(self._idle) - 1, -1, -1):
            if self._idle[i].gpus == gpus:
                return self._idle.pop(i)
        if self._idle:  # none of these can be used, and one may sit on memory of the GPU that is needed
            self.dismiss(self._idle.pop(0))
        return self.hire(gpus)

    def finished(self, handle: Handle, seconds: float, now: float) -> None:
        """Its current trial has left it."""
        handle.proven = True
        if self._adaptive:
            self._average = seconds if self._average is None else self._average + MEMORY * (seconds - self._average)
            self._brief = self._average < BRIEF
        if handle.dismissed:
            handle.current = None
            return
        following = handle.next
        handle.current, handle.next = following, None
        if following is not None:  # it has begun, in the same room: both are standard
            following.began = following.heard = now
            del self._has_queued[handle]
            self._can_queue[handle] = None
            return
        self._can_queue.pop(handle, None)
        self._release(handle)
        if self._fresh:
            self.dismiss(handle)
        else:
            self._idle.append(handle)

    def forget(self, handle: Handle) -> None:
        """It gets no more trials; what it holds is kept until `gone`."""
        self._can_queue.pop(handle, None)
        self._has_queued.pop(handle, None)
        if handle in self._idle:
            self._idle.remove(handle)

    def gone(self, handle: Handle) -> list[Attempt]:
        """Its process has ended. Returns the trials that it was sent and had not begun; the one left as current, it had."""
        self.forget(handle)
        self._release(handle)
        not_begun = []
        # An idle worker may die while its next trial is on the way to it. One that dies before its first trial has a reason
        # to do so again: there the trial is lost, which is counted.
        unread = handle.withhold_orders()
        if handle.current is not None and handle.proven and unread > (handle.next is not None):
            not_begun.append(handle.current)
            handle.current = None
        if handle.next is not None:
            not_begun.append(handle.next)
            handle.next = None
        for attempt in not_begun:
            attempt.handle = None
        return not_begun

    def share_out(self, now: float, age: float) -> None:
        """Where there is room, a trial that has stood behind another for so many seconds is taken away from there."""
        if not self._has_queued or not self._ledger.room():
            return
        for handle in list(self._has_queued):
            attempt = handle.next
            if attempt is not None and now - handle.next_since >= age and self._ledger.room() and self.withdraw(attempt):
                self.waiting.appendleft(attempt)
                self.fill(now)

    def withdraw(self, attempt: Attempt) -> bool:
        """True if this trial had not begun, and now never will."""
        handle = attempt.handle
        if handle is None:
            self.waiting.remove(attempt)
            return True
        if handle.next is not attempt or not handle.take_back():
            return False
        handle.next = attempt.handle = None
        if not handle.dismissed:
            del self._has_queued[handle]
            self._can_queue[handle] = None
        return True

    def _release(self, handle: Handle) -> None:
        if handle.share is not None:
            self._ledger.give_back(*handle.share)
            handle.share = None
