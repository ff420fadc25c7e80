"""One trial at a time in this process, where a debugger works."""

from __future__ import annotations

import collections
import select
import time

from microtune import (
    Assignment,
    Batch,
    Continue,
    Decision,
    Discard,
    Exited,
    Facts,
    OptionError,
    Outcome,
    Pause,
    Remover,
    Reported,
    Terms,
    Trial,
    TrialThread,
    hookimpl,
)

_LONGEST = 1.0  # seconds in one blocking call: a signal is noticed after that at the latest


class InlineExecutor:
    """Runs the trial in a thread that moves only while the kernel is in `wait`. It cannot kill a trial.

    What a trial asks for is not counted: there is this process, and one trial in it.
    """

    @hookimpl
    def setup(self, run: Facts) -> None:
        for name, limit in (("trial_timeout_s", run.limits.trial), ("report_timeout_s", run.limits.report)):
            if limit is not None:
                raise OptionError(f"executor 'inline' cannot end a trial that runs over {name}: use executor='local'")
        self._began = time.time() - time.monotonic()
        self._thread = TrialThread(run.trainable, Terms.of(run))
        self._remover = Remover()
        # The trial on the thread and the assignment that it is yet to begin with; others wait behind it, since one that
        # was told to leave holds the thread until its next report.
        self._trial: Trial | None = None
        self._queue: collections.deque[Trial] = collections.deque()
        self._called_off: list[Trial] = []  # told to leave before they had begun
        self._moving = False
        self._told = False  # its last report is answered; it hears that in `wait`
        self._answer: str | None = None  # to a trial that is to leave

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        self._queue.append(trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch:
        if self._trial is None and self._queue:
            self._trial = self._queue.popleft()
            self._answer = None
            self._thread.begin(Assignment.of(run, self._trial))
            self._moving = True
        elif self._told:
            self._thread.go(self._answer or "continue")
            self._moving, self._told = True, False
        if self._called_off:
            gone, self._called_off = self._called_off, []
            return self._batch([Exited(trial.id, trial.attempt, self._now()) for trial in gone])
        seconds = max(0.0, min(until - self._now(), _LONGEST))
        if self._moving:
            return self._batch(self._listen(seconds))
        if run.wakeup_fd is not None:
            select.select([run.wakeup_fd], [], [], seconds)
        elif seconds:
            time.sleep(seconds)
        return self._batch([])

    @hookimpl
    def steer(self, run: Facts, trial: Trial, decision: Decision | Discard) -> None:
        if isinstance(decision, Discard):
            self._remover.remove(decision.url)
            return
        if self._trial is None or trial.id != self._trial.id:
            waiting = [queued for queued in self._queue if queued.id == trial.id]
            if waiting and not isinstance(decision, Continue):
                self._queue.remove(waiting[0])
                self._called_off.append(waiting[0])
            return
        if not isinstance(decision, Continue):
            self._answer = "pause" if isinstance(decision, Pause) else "stop"
        self._told = not self._moving

    @hookimpl
    def teardown(self, run: Facts, error: BaseException | None) -> None:
        # An error may leave a trial in the middle of its work; it is given a moment to reach a report.
        if hasattr(self, "_thread"):
            self._thread.close(timeout=1.0)
            self._remover.close()

    def _listen(self, seconds: float) -> list[Reported | Exited]:
        assert self._trial is not None
        trial_id, attempt = self._trial.id, self._trial.attempt
        reports: list[Reported | Exited] = []
        word = self._thread.said(seconds)
        while word is not None and not isinstance(word, Outcome) and self._answer is not None:
            reports.append(Reported(trial_id, attempt, self._now(), *word))  # the last one: it was told to leave meanwhile
            self._thread.go(self._answer)
            word = self._thread.said(seconds)
        if word is None:
            return reports
        self._moving = False
        now = self._now()
        if not isinstance(word, Outcome):
            return [Reported(trial_id, attempt, now, *word)]
        self._trial = None
        if word.metrics is not None:
            reports.append(Reported(trial_id, attempt, now, word.metrics, word.iteration))
        reports.append(Exited(trial_id, attempt, now, word.failure, word.checkpoint, word.iteration))
        return reports

    def _now(self) -> float:
        """Wall-clock time that never jumps."""
        return self._began + time.monotonic()

    def _batch(self, reports: list[Reported | Exited]) -> Batch:
        return Batch(self._now(), reports, 1, {"cpu": 1.0})
