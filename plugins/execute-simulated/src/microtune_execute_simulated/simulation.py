"""What runs, and what happens next."""

from __future__ import annotations

import heapq
import math
import os
import shutil
from collections import deque
from itertools import count
from typing import Any

from microtune import (
    Assignment,
    Exited,
    Facts,
    Failure,
    Outcome,
    Remover,
    Reported,
    Terms,
    Trial,
    TrialThread,
    checkpoint_iteration,
)
from microtune_execute_simulated.attempt import Attempt
from microtune_execute_simulated.costs import Costs
from microtune_execute_simulated.curves import Curve, CurveRunner
from microtune_execute_simulated.story import Stories
from microtune_execute_simulated.strikes import Strikes

_LONGEST = 1.0  # real seconds that a trainable may compute before the kernel has a look at its signals


class Simulation:
    """The clock is `now`; `find_out` lets every trial that may move compute its next word, and `hear` gives the earliest."""

    def __init__(self, run: Facts, costs: Costs, stories: Stories) -> None:
        self.now = run.now
        self._costs = costs
        self._stories = stories
        self._terms = Terms.of(run)
        self.remover = Remover()
        self._trial_limit = math.inf if run.limits.trial is None else run.limits.trial
        self._report_limit = math.inf if run.limits.report is None else run.limits.report
        self._resuming = run.resumed  # what is launched before the clock moves may have been in progress
        # (due, number of the trial, ticket, attempt): the number is the tie rule; a trial has one entry that is not void.
        self._queue: list[tuple[float, int, int, Attempt]] = []
        self._tickets = count()
        self._held: dict[str, Attempt] = {}
        self._turns: deque[Attempt] = deque()  # whose next word is to be found out
        self._moving: Attempt | None = None  # the one that computes it
        self._idle: list[Any] = []
        self._runners: list[Any] = []

    def launch(self, run: Facts, trial: Trial) -> None:
        attempt = Attempt(trial, self._idle.pop() if self._idle else self._new_runner(run))
        self._place(run, attempt)
        self._held[trial.id] = attempt
        self._turns.append(attempt)

    def let_go_on(self, trial_id: str) -> None:
        attempt = self._held.get(trial_id)
        if attempt is not None and attempt.waits:
            attempt.waits = False
            self._turns.append(attempt)

    def halt(self, run: Facts, trial_id: str, answer: str) -> None:
        attempt = self._held.get(trial_id)
        if attempt is None or attempt.left:
            return
        attempt.answer = answer
        if attempt.waits:
            attempt.waits = False
            self._turns.append(attempt)
            return
        attempt.leave_by = self.now + run.limits.grace
        if attempt.ticket >= 0:  # its step is in the queue
            self._enqueue(attempt)

    def find_out(self, run: Facts) -> bool:
        """Let each trial that was launched or answered compute its next word; False if one is not done with it yet."""
        self._resuming = False
        while self._moving is not None or self._turns:
            attempt = self._moving
            if attempt is None:
                attempt = self._moving = self._turns.popleft()
                if attempt.begun:
                    attempt.left = attempt.answer is not None
                    attempt.runner.go(attempt.answer or "continue")
                else:
                    attempt.begun = True
                    attempt.runner.begin(self._assignment(run, attempt))
            word = attempt.runner.said(_LONGEST)
            if word is None:
                return False
            self._moving = None
            self._plan(run, attempt, word)
        return True

    def due(self) -> float:
        """When the next word is due; infinity if there is none."""
        queue = self._queue
        while queue and queue[0][2] != queue[0][3].ticket:
            heapq.heappop(queue)
        return queue[0][0] if queue else math.inf

    def hear(self) -> list[Reported | Exited]:
        """What happens next, and it is that time now."""
        due, _, _, attempt = heapq.heappop(self._queue)
        self.now = now = max(self.now, due)
        attempt.ticket = -1
        trial, word = attempt.trial, attempt.word
        if attempt.lost is not None:
            del self._held[trial.id]
            self._remove(word.checkpoint)
            if not isinstance(word, Outcome):
                attempt.answer, attempt.dropped = "stop", True
                self._turns.append(attempt)
            return [Exited(trial.id, trial.attempt, now, attempt.lost)]
        reports: list[Reported | Exited] = []
        if isinstance(word, Outcome):
            del self._held[trial.id]
            if word.metrics is not None:
                reports.append(Reported(trial.id, trial.attempt, now, word.metrics, word.iteration))
            reports.append(Exited(trial.id, trial.attempt, now, word.failure, word.checkpoint, word.iteration))
            return reports
        # A step that an earlier attempt has reported is told to nobody, so a resumed run knows when it was due, not heard.
        attempt.clock = attempt.heard = due if word.iteration <= trial.iteration else now
        attempt.waits = attempt.answer is None
        if not attempt.waits:
            self._turns.append(attempt)
        return [Reported(trial.id, trial.attempt, now, word.metrics, word.iteration, word.checkpoint)]

    def close(self) -> None:
        for runner in self._runners:
            runner.close(timeout=1.0)
        self.remover.close()

    def _remove(self, checkpoint: str | None) -> None:
        """Nobody will hear of it."""
        if checkpoint is not None and os.path.isabs(checkpoint):
            shutil.rmtree(checkpoint, ignore_errors=True)
        elif checkpoint is not None:
            self.remover.remove(checkpoint)

    # --- when ----------------------------------------------------------------------------------------------------------

    def _place(self, run: Facts, attempt: Attempt) -> None:
        """When the attempt began: now, or where it was in progress as the driver died, when it did so by the tells."""
        trial, costs = attempt.trial, self._costs
        story = self._stories.of(trial)
        if story.strikes is None and costs.crashes + costs.preemptions > 0:
            story.strikes = Strikes(run, trial.number, story.born, costs.crashes, costs.preemptions)
        strikes = attempt.strikes = story.strikes
        trains_on = False
        began = max(self.now, story.started)
        if self._resuming:
            began = story.started
            if strikes is not None:
                strikes.pass_to(story.since)
                began = max(began, strikes.last)
                strikes.pass_to(self.now)
            if strikes is not None and strikes.last > story.since:
                began = strikes.last
            elif trial.failures > story.failures:  # it failed by itself, at its last report
                began = story.since
            else:
                trains_on = story.reported
        elif strikes is not None:
            strikes.pass_to(self.now)
        attempt.slowness = costs.slowness(run, trial, 0 if strikes is None else strikes.count)
        attempt.began = attempt.heard = began
        if trains_on:
            attempt.clock = attempt.heard = story.since
            attempt.start = attempt.repeats = trial.iteration
        else:
            attempt.start = max(checkpoint_iteration(trial.checkpoint), story.kept)
            attempt.clock = (
                began + costs.startup + (costs.restoring if trial.checkpoint is not None or story.kept else 0.0)
            )

    def _plan(self, run: Facts, attempt: Attempt, word: Any) -> None:
        """When it will say this."""
        over = isinstance(word, Outcome)
        if (attempt.left or attempt.dropped) and not over:  # it has been told to leave, and reports all the same
            self._turns.append(attempt)
            return
        if over:
            self._idle.append(attempt.runner)
        if attempt.dropped:
            self._remove(word.checkpoint)
            return
        attempt.word = word
        saving = 0.0 if word.checkpoint is None else self._costs.saving
        if attempt.left:
            self._push(attempt, self.now + saving)
            return
        attempt.due = attempt.clock
        if word.metrics is not None and word.iteration > attempt.repeats:
            attempt.due += attempt.slowness * self._costs.step(run, attempt.trial, word.iteration, word.metrics)
        attempt.due += saving
        self._enqueue(attempt)

    def _enqueue(self, attempt: Attempt) -> None:
        """It says its word, unless something else happens before."""
        due, attempt.lost = attempt.due, None
        strikes = attempt.strikes
        if strikes is not None:
            strikes.pass_to(self.now)
            if strikes.next <= due:
                due, attempt.lost = strikes.next, strikes.failure()
        late = min(attempt.began + self._trial_limit, attempt.heard + self._report_limit, attempt.leave_by)
        if late < due:
            due, attempt.lost = late, Failure("timeout", f"trial {attempt.trial.id} {self._complaint(attempt, late)}")
        self._push(attempt, due)

    def _complaint(self, attempt: Attempt, late: float) -> str:
        if attempt.leave_by == late:
            return "was told to leave and had not left when its grace period was over"
        if attempt.began + self._trial_limit == late:
            return f"took longer than {self._trial_limit:g} s (trial_timeout_s)"
        return f"reported nothing for {self._report_limit:g} s (report_timeout_s)"

    def _push(self, attempt: Attempt, due: float) -> None:
        attempt.ticket = next(self._tickets)
        heapq.heappush(self._queue, (due, attempt.trial.number, attempt.ticket, attempt))

    def _assignment(self, run: Facts, attempt: Attempt) -> Assignment:
        assignment = Assignment.of(run, attempt.trial)
        # The state of a Curve is its step, so nothing that the driver did not live to hear of is lost with it.
        return assignment._replace(iteration=attempt.start) if isinstance(run.trainable, Curve) else assignment

    def _new_runner(self, run: Facts) -> Any:
        runner: Any
        if isinstance(run.trainable, Curve):
            runner = CurveRunner(run.trainable, self._terms)
        else:
            runner = TrialThread(run.trainable, self._terms)
        self._runners.append(runner)
        return runner
