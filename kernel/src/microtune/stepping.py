"""A trial in a thread that moves only when told: for executors that keep trials in this process.

Such an executor hands the baton over inside `wait` and takes it back at the trial's next word, so that the kernel and the
trial never run at the same time, and whatever the trainable is (it may call `report` from deep inside), it can be stepped.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from microtune.attempt import CONTINUE, STOP, Assignment, Outcome, Terms
from microtune.trainable import close_worker, run_trial


class Word(NamedTuple):
    """A report, as the trial made it."""

    metrics: dict[str, Any]
    iteration: int
    checkpoint: str | None


class TrialThread:
    """Runs one trial after the other: `begin`, then `said` and `go` in turns until `said` gives an Outcome."""

    def __init__(self, trainable: Any, terms: Terms) -> None:
        self._trainable = trainable
        self._terms = terms
        self._assignment: Assignment | None = None
        self._decision = CONTINUE
        self._word: Word | Outcome | None = None
        self._baton = threading.Lock()  # held by the executor's side, until it hands it over
        self._back = threading.Lock()
        self._baton.acquire()
        self._back.acquire()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, assignment: Assignment) -> None:
        """Let this trial move until its first word."""
        if self._thread is None:
            # A daemon, since nobody can end a trainable that does not return.
            self._thread = threading.Thread(target=self._work, name="microtune-trial", daemon=True)
            self._thread.start()
        self._assignment = assignment
        self._baton.release()

    def go(self, decision: str = CONTINUE) -> None:
        """Answer its last report and let it move until its next word."""
        self._decision = decision
        self._baton.release()

    def said(self, timeout: float = -1) -> Word | Outcome | None:
        """Its next word; None if it says nothing for `timeout` seconds (-1: wait for it). Then ask again, without `go`."""
        return self._word if self._back.acquire(timeout=timeout) else None

    def close(self, timeout: float) -> bool:
        """End the thread, telling a trial that waits for an answer to stop. False if it is still running then."""
        if self._thread is None:
            return True
        self._decision = STOP
        self._closing.set()
        if self._baton.locked():  # else it has been handed over, and the thread has yet to notice
            self._baton.release()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            self._baton.acquire()
            if self._closing.is_set():
                close_worker()
                return
            assert self._assignment is not None
            self._word = run_trial(self._trainable, self._assignment, self._terms, self._exchange)
            if not self._closing.is_set():
                self._back.release()

    def _exchange(self, metrics: dict[str, Any], iteration: int, checkpoint: str | None) -> str:
        if self._closing.is_set():  # nobody listens any more
            return STOP
        self._word = Word(metrics, iteration, checkpoint)
        self._back.release()
        self._baton.acquire()
        if self._closing.is_set():
            self._baton.release()  # for the end of the thread, in `_work`
        return self._decision
