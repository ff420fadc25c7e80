"""The workers of a run: they are hired, listened to, told what to do, and replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtune import Exited, Failure, Reported
from microtune_execute_ray import deaths, frames
from microtune_execute_ray.cluster import Cluster
from microtune_execute_ray.deadlines import Deadlines
from microtune_execute_ray.handle import Attempt, Handle
from microtune_execute_ray.hiring import Agency
from microtune_execute_ray.placement import Placement
from microtune_execute_ray.switchboard import Switchboard

LOOK_S = 1.0  # how often the cluster is looked at, for nodes that have come or gone (0.4 ms)
LOADING_S = 60.0  # that a worker has to import the trainable's modules, before its first trial's time begins
LINGER_S = 2.0  # for a last word of a worker that was told to end, or that Ray says has ended
LOST_S = 30.0  # that Ray has to say how a worker ended whose connection has
PATIENCE_S = 5.0  # to see killed workers end, when the run does

NO_STACK = (
    "no stack: the worker did not say where it was when it was asked to. It was stopped, or hung in code that holds the "
    "interpreter's lock"
)


class Crew:
    def __init__(
        self, cluster: Cluster, placement: Placement, agency: Agency, deadlines: Deadlines, fresh: bool,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.reports: list[Reported | Exited] = []  # heard, and not yet told
        self.now = clock()  # when they were heard
        self._clock = clock
        self._cluster = cluster
        self._placement = placement
        self._agency = agency
        self._deadlines = deadlines
        self._fresh = fresh
        self._attempts: dict[str, Attempt] = {}  # by trial
        self._told_to_leave = 0  # of these
        self._hired = 0
        self._handles: dict[int, Handle] = {}  # by number
        self._on_their_way_out: set[Handle] = set()
        self._look_at = 0.0
        self._board = Switchboard()

    # --- what the executor asks for ----------------------------------------------------------------------------------

    def launch(self, attempt: Attempt) -> None:
        self._attempts[attempt.trial_id] = attempt
        self._placement.hold(attempt)
        handle = self._placement.idle(attempt.need)
        if handle is not None:
            self._begin(handle, attempt)
        elif self._placement.wait(attempt):
            for other in self._placement.others_at_rest(attempt.need):
                other.dismiss()
            self._hire(attempt)

    def slots(self) -> int:
        return len(self._attempts) - self._told_to_leave + self._placement.room()

    @property
    def signalled(self) -> bool:
        return self._board.signalled

    def listen(self, until: float, wakeup_fd: int | None) -> None:
        """Hear all who have something to say; where nobody has, wait for the first of them, a deadline or a signal."""
        self._board.watch(wakeup_fd)
        timed = self._deadlines.any or self._told_to_leave
        until = min(until, self._look_at, *(handle.patience for handle in self._on_their_way_out))
        if timed:
            until = min(until, self._deadlines.next(self._attempts.values()))
        talkers = self._board.wait(0.0 if self.reports else max(0.0, until - self._clock()))
        self.now = now = self._clock()
        for handle in talkers:
            self._hear(handle)
        if self._board.callers:
            self._let_in()
        while obituary := self._board.obituary():
            handle, death = obituary
            handle.ended, handle.death = True, death
            self._see_off(handle, LINGER_S)
        if timed:
            for attempt, complaint in list(self._deadlines.missed(self._attempts.values(), now)):
                self._kill(attempt, f"trial {attempt.trial_id} {complaint}")
        for handle in [each for each in self._on_their_way_out if each.patience <= now]:
            self._lose_patience(handle)
        if now >= self._look_at:
            self._cluster.look()
            self._look_at = now + LOOK_S

    def let_go_on(self, trial_id: str) -> None:
        attempt = self._attempts.get(trial_id)
        if attempt is not None and attempt.asks and attempt.leave_by is None and attempt.handle is not None:
            attempt.handle.tell(frames.DECISION, attempt.order, "continue")
            attempt.asks = False
            attempt.heard = self._clock()

    def halt(self, trial_id: str, decision: str) -> None:
        attempt = self._attempts.get(trial_id)
        if attempt is None or attempt.leave_by is not None:
            return  # it has left, or is about to
        attempt.leave_by = self._clock() + self._deadlines.grace
        self._told_to_leave += 1
        if attempt.handle is None:
            self._placement.withdraw(attempt)
            self._end(attempt)
        else:
            attempt.handle.tell(frames.DECISION, attempt.order, decision)  # between two reports it finds this at the next one

    def close(self, seconds: float) -> None:
        """End all workers: those at rest have so many seconds to clean up. Whatever then lives is killed."""
        try:
            for handle in self._handles.values():
                if handle.current is None and handle.connected and seconds > 0:
                    handle.dismiss()
                else:
                    handle.dismissed = True
                    self._agency.kill(handle)
            self._wait_for_end(seconds)
        finally:  # a second Ctrl-C does not wait for anybody to clean up
            for handle in self._handles.values():
                self._agency.kill(handle)
            self._wait_for_end(PATIENCE_S)
            for handle in self._handles.values():
                handle.disconnect()
                self._agency.release(handle)
            self._handles.clear()
            self._board.close()

    def _wait_for_end(self, seconds: float) -> None:
        end = self._clock() + seconds
        while self._handles and self._clock() < end:
            self.reports.clear()
            self.listen(end, None)

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _let_in(self) -> None:
        callers, self._board.callers = self._board.callers, []
        for number, connection in callers:
            if number in self._handles:
                self._handles[number].connect(connection, self._board.selector)
            else:  # Ray has said already that it has died
                connection.close()

    def _hear(self, handle: Handle) -> None:
        said = handle.hear()
        if said is None:
            handle.disconnect()
            self._see_off(handle, LOST_S)
            return
        for words in said:
            self._take(handle, words)

    def _take(self, handle: Handle, words: tuple[Any, ...]) -> None:
        kind, attempt = words[0], handle.current
        if kind == frames.STARTED:
            handle.where = words[1]
            self._placement.arrived(handle)
            if not handle.dismissed:
                self._find_work(handle)
        elif kind == frames.STACK:
            handle.stack = words[1]
        elif attempt is None:
            pass  # what it says of a trial that has ended meanwhile
        elif kind == frames.REPORT:
            attempt.asks = True
            self.reports.append(Reported(attempt.trial_id, attempt.attempt, self.now, words[1], words[2], words[3]))
        elif kind == frames.LOADED:
            handle.loaded = True
            attempt.began = attempt.heard = self.now
        else:
            self._finish(handle, attempt, *words[1:])

    def _finish(
        self, handle: Handle, attempt: Attempt, metrics: dict[str, Any] | None, iteration: int, checkpoint: str | None,
        failure: tuple[str, str, str] | None,
    ) -> None:  # fmt: skip
        if metrics is not None:
            self.reports.append(Reported(attempt.trial_id, attempt.attempt, self.now, metrics, iteration))
        self._end(attempt, failure and Failure(*failure), checkpoint, iteration)
        handle.current = None
        if handle.dismissed:
            return
        if self._fresh or (failure and failure[0] == "out_of_memory"):  # its process may be short of it still
            handle.dismiss()
        else:
            self._find_work(handle)

    def _end(
        self, attempt: Attempt, failure: Failure | None = None, checkpoint: str | None = None, iteration: int | None = None
    ) -> None:
        del self._attempts[attempt.trial_id]
        self._placement.let_go(attempt)
        if attempt.leave_by is not None:
            self._told_to_leave -= 1
        written_at = None if checkpoint is None else iteration
        self.reports.append(Exited(attempt.trial_id, attempt.attempt, self.now, failure, checkpoint, written_at))

    # --- hiring and work ---------------------------------------------------------------------------------------------

    def _hire(self, attempt: Attempt) -> None:
        self._hired += 1
        handle = Handle(self._hired, attempt.need)
        self._handles[handle.number] = handle
        self._placement.expect(handle)
        self._agency.hire(handle, self._board.door, self._board.announce)

    def _find_work(self, handle: Handle) -> None:
        attempt = self._placement.next(handle.need)
        if attempt is not None:
            self._begin(handle, attempt)
        elif self._placement.anyone_waits:  # who needs something else, and perhaps what this one has
            handle.dismiss()
        else:
            self._placement.rest(handle)

    def _begin(self, handle: Handle, attempt: Attempt) -> None:
        handle.current = attempt
        attempt.handle = handle
        now = self._clock()
        attempt.began = attempt.heard = now if handle.loaded else now + LOADING_S
        handle.tell(frames.TRIAL, attempt.order, *attempt.assignment)

    # --- the end of a worker -----------------------------------------------------------------------------------------

    def _kill(self, attempt: Attempt, why: str) -> None:
        assert attempt.handle is not None
        attempt.overdue = why
        attempt.handle.tell(frames.DIE)
        self._see_off(attempt.handle, LINGER_S)

    def _see_off(self, handle: Handle, seconds: float) -> None:
        """It is on its way out: gone once both its connection and Ray say so, in whichever order they do."""
        if handle.number not in self._handles:
            return
        handle.dismissed = True
        if handle.ended and not handle.connected:
            self._bury(handle)
            return
        handle.patience = self.now + seconds
        self._on_their_way_out.add(handle)

    def _lose_patience(self, handle: Handle) -> None:
        if handle.connected and not handle.ended:  # it was told to end, and has not
            self._agency.kill(handle)
            handle.patience = self.now + LOST_S
        else:
            handle.disconnect()
            self._bury(handle)

    def _bury(self, handle: Handle) -> None:
        self._on_their_way_out.discard(handle)
        self._placement.forget(handle)
        attempt = handle.current
        if attempt is None:  # perhaps it was to have one, and has died on its way here
            attempt = self._placement.bereaved(handle.need)
            if attempt is not None:
                deaths.refuse_hopeless(handle.death)
        if attempt is not None:
            self._end(attempt, self._failure(handle, attempt))
        del self._handles[handle.number]
        self._agency.release(handle)

    def _failure(self, handle: Handle, attempt: Attempt) -> Failure:
        if attempt.overdue is not None:
            return Failure("timeout", attempt.overdue, handle.stack or NO_STACK)
        return deaths.failure_of(handle.death, handle.where)
