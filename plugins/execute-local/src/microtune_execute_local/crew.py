"""The workers of a run: they are hired, listened to, told what to do, and replaced."""

from __future__ import annotations

import math
import select
from collections.abc import Callable
from typing import Any

from microtune import Exited, Failure, Reported, RunError
from microtune_execute_local import deaths, frames
from microtune_execute_local.deadlines import Deadlines
from microtune_execute_local.handle import Attempt, Handle
from microtune_execute_local.nursery import Nursery
from microtune_execute_local.placement import BRIEF, Placement

NO_STACK = (
    "no stack: the process did not write it down when it was asked to. It was stopped, blocks SIGUSR2, or hung inside the "
    "system, as on a network file system that does not answer"
)


class Crew:
    def __init__(
        self, placement: Placement, deadlines: Deadlines, clock: Callable[[], float], found_nursery: Callable[[], Nursery]
    ) -> None:
        self.reports: list[Reported | Exited] = []  # heard, and not yet told
        self.now = clock()  # when they were heard
        self.signalled = False
        self._clock = clock
        self._placement = placement
        self._deadlines = deadlines
        self._found_nursery = found_nursery
        self._attempts: dict[str, Attempt] = {}  # by trial
        self._leaving = 0  # of these, told to leave
        self._hired = 0
        self._handles: dict[int, Handle] = {}  # by number
        self._by_fd: dict[int, Handle] = {}
        self._oom_kills = deaths.oom_kills()
        self._poll = select.poll()
        self._wakeup_fd: int | None = None
        self._nursery = self._new_nursery()
        placement.hire, placement.dismiss = self._hire, self._dismiss

    # --- what the executor asks for ----------------------------------------------------------------------------------

    def launch(self, attempt: Attempt) -> None:
        self._attempts[attempt.trial_id] = attempt
        self._placement.waiting.append(attempt)
        self._placement.fill(self._clock())

    def slots(self) -> int:
        return self._placement.slots(len(self._attempts) - self._leaving)

    def listen(self, until: float, wakeup_fd: int | None) -> None:
        """Hear all who have something to say; where nobody has, wait for the first of them, a deadline or a signal."""
        if wakeup_fd != self._wakeup_fd:
            self._watch(wakeup_fd)
        self.signalled = False
        timed = self._deadlines.any or self._leaving
        if timed:
            until = min(until, self._deadlines.next(self._attempts.values()))
        seconds = 0.0 if self.reports else max(0.0, until - self._clock())
        ready = self._poll.poll(None if seconds == math.inf else seconds * 1000)
        self.now = now = self._clock()
        for fd, _ in ready:
            handle = self._by_fd.get(fd)
            if handle is not None:
                if fd == handle.talk:
                    self._hear(handle)
                else:
                    handle.send_on()
            elif fd == wakeup_fd:
                self.signalled = True
            else:
                self._hear_nursery()
        if timed:
            for attempt, complaint in list(self._deadlines.missed(self._attempts.values(), now)):
                self._kill(attempt, f"trial {attempt.trial_id} {complaint}")
        self._placement.fill(now)
        self._placement.share_out(now, BRIEF)

    def share_out(self) -> None:
        """Somebody is at rest and nothing was launched for him: he takes what is queued at another."""
        self._placement.share_out(self.now, 0.0)

    def let_go_on(self, trial_id: str) -> None:
        attempt = self._attempts.get(trial_id)
        if attempt is not None and attempt.asks and attempt.leave_by is None and attempt.handle is not None:
            attempt.handle.answer(attempt.order, "continue")
            attempt.asks = False
            attempt.heard = self._clock()

    def halt(self, trial_id: str, decision: str) -> None:
        attempt = self._attempts.get(trial_id)
        if attempt is None or attempt.leave_by is not None:
            return  # it has left, or is about to
        attempt.leave_by = self._clock() + self._deadlines.grace
        self._leaving += 1
        if self._placement.withdraw(attempt):
            self._end(attempt)
        elif attempt.handle is not None:
            attempt.handle.answer(attempt.order, decision)  # between two reports it finds this at the next one

    def close(self, seconds: float) -> None:
        """End all workers: those at rest have so many seconds to clean up. Whatever then lives is killed."""
        for handle in self._handles.values():
            if handle.current is not None:
                self._nursery.kill(handle)
            handle.dismiss()
        try:
            if seconds > 0:
                self._nursery.wait_for_end(set(self._handles), seconds)
        finally:  # a second Ctrl-C does not wait for anybody to clean up
            self._nursery.close()
            for handle in self._handles.values():
                handle.close()
            self._handles.clear()

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _hear(self, handle: Handle) -> None:
        said = handle.hear()
        if said is None:  # it has died, or has closed what was not its own to close
            handle.deafen()
            handle.dismissed = True
            self._placement.forget(handle)
            self._nursery.kill(handle)
            return
        for words in said:
            self._take(handle, words)

    def _take(self, handle: Handle, words: tuple[Any, ...]) -> None:
        if words[0] == frames.STARTED:
            handle.pid = words[1]
            self._can_start = True
            return
        attempt = handle.current
        if attempt is None:  # it is being killed, for a trial that has ended meanwhile; the next one began there in vain
            return
        if words[0] == frames.REPORT:
            attempt.asks = True
            self.reports.append(Reported(attempt.trial_id, attempt.attempt, self.now, words[1], words[2], words[3]))
        elif words[0] == frames.EXIT:
            _, metrics, iteration, checkpoint, failure, seconds = words
            if metrics is not None:
                self.reports.append(Reported(attempt.trial_id, attempt.attempt, self.now, metrics, iteration))
            self._end(attempt, failure and Failure(*failure), checkpoint, iteration)
            self._placement.finished(handle, seconds, self.now)
        else:
            handle.loaded = True
            attempt.began = attempt.heard = self.now

    def _end(
        self, attempt: Attempt, failure: Failure | None = None, checkpoint: str | None = None, iteration: int | None = None
    ) -> None:
        del self._attempts[attempt.trial_id]
        if attempt.leave_by is not None:
            self._leaving -= 1
        written_at = None if checkpoint is None else iteration
        self.reports.append(Exited(attempt.trial_id, attempt.attempt, self.now, failure, checkpoint, written_at))

    def _hear_nursery(self) -> None:
        ended = self._nursery.hear()
        if ended is None:
            self._replace_nursery()
            return
        for number, pid, status in ended:
            handle = self._handles[number]
            self._hear_out(handle)
            self._ended(handle, deaths.describe(pid, status), deaths.by_sigkill(status))

    def _hear_out(self, handle: Handle) -> None:
        for said in iter(handle.hear, None):
            for words in said:
                self._take(handle, words)

    def _ended(self, handle: Handle, how: str, suspicious: bool) -> None:
        for attempt in reversed(self._placement.gone(handle)):
            if attempt.leave_by is None:
                self._placement.waiting.appendleft(attempt)
            else:
                self._end(attempt)
        if handle.current is not None:
            self._end(handle.current, self._failure(handle, handle.current, how, suspicious))
        del self._handles[handle.number]
        del self._by_fd[handle.talk], self._by_fd[handle.orders]
        handle.close()

    def _failure(self, handle: Handle, attempt: Attempt, how: str, suspicious: bool) -> Failure:
        if attempt.overdue is not None:
            return Failure("timeout", attempt.overdue, handle.stack() or NO_STACK)
        before, self._oom_kills = self._oom_kills, deaths.oom_kills()
        if suspicious and self._oom_kills > before:
            return Failure("out_of_memory", f"{how}: the system was out of memory")
        return Failure("lost", how, handle.stack())

    # --- hiring and letting go ---------------------------------------------------------------------------------------

    def _hire(self, gpus: str | None) -> Handle:
        self._hired += 1
        handle = Handle(self._hired, gpus, self._poll)
        self._handles[handle.number] = handle
        self._by_fd[handle.talk] = self._by_fd[handle.orders] = handle
        self._nursery.start(handle)
        return handle

    def _dismiss(self, handle: Handle) -> None:
        handle.dismiss()
        self._nursery.kill(handle, after=self._deadlines.grace)

    def _kill(self, attempt: Attempt, why: str) -> None:
        assert attempt.handle is not None
        attempt.overdue = why
        attempt.handle.dismissed = True
        self._placement.forget(attempt.handle)
        self._nursery.kill_hung(attempt.handle)

    def _new_nursery(self) -> Nursery:
        nursery = self._found_nursery()
        self._poll.register(nursery.control, select.POLLIN)
        self._can_start = False  # it has not shown yet that it can
        return nursery

    def _replace_nursery(self) -> None:
        """The template has died by itself: kill what it leaves, and start another one."""
        self._poll.unregister(self._nursery.control)
        status = self._nursery.close()
        if not self._can_start:
            raise RunError(f"the process that starts workers ended at once, with status {status}: see what it wrote to stderr")
        for handle in self._handles.values():
            # One that has not said its pid has not read its order, and ends without one.
            handle.withhold_orders()
            self._hear_out(handle)
            if handle.pid is not None:
                deaths.bring_about(handle.pid)
        self._nursery = self._new_nursery()
        for handle in list(self._handles.values()):
            self._ended(handle, f"the process that starts the workers ended with status {status}, and they with it", False)

    def _watch(self, wakeup_fd: int | None) -> None:
        if self._wakeup_fd is not None:
            self._poll.unregister(self._wakeup_fd)
        if wakeup_fd is not None:
            self._poll.register(wakeup_fd, select.POLLIN)
        self._wakeup_fd = wakeup_fd
