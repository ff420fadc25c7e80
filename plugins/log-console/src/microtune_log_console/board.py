"""What the console knows of a run: counters and a few rows, kept up to date by the tells. It shows nothing itself."""

from __future__ import annotations

import math
from bisect import insort

from microtune import Event, Facts, Result, Trial, checkpoint_iteration
from microtune_log_console.saving import Saved, Savings

COMPLETED, STOPPED, FAILED = "COMPLETED", "STOPPED", "FAILED"
GROUND = 3  # trials that must have ended before anything is said of those to come


class Row:
    """A trial as it was last heard of."""

    __slots__ = ("checkpoint", "first", "result", "running", "score", "trial")

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.first: Result | None = None
        self.result: Result | None = None
        self.running = False
        self.score = -math.inf
        self.checkpoint: str | None = None  # of the last result's step

    @property
    def state(self) -> str:
        """As `Board.counts` has it."""
        if self.running:
            return "running"
        return self.trial.state.lower() if self.trial.state in (COMPLETED, STOPPED, FAILED) else "waiting"

    def rank(self) -> tuple[float, int]:
        return -self.score, self.trial.number

    def saw(self, path: str | None) -> None:
        """A checkpoint: it counts if it is of the step that the metrics are from."""
        if (
            path is not None
            and self.result is not None
            and checkpoint_iteration(path) == self.result.training_iteration
        ):
            self.checkpoint = path


class Board:
    """Rows of the trials that are not over, of the best `size` that are, and counters of all others.

    The best trial is the one with the best last result, as `get_best_result()` has it.
    """

    def __init__(self, run: Facts, size: int) -> None:
        self.run = run
        self.live: dict[str, Row] = {}
        self.best: list[Row] = []
        self.ended = {COMPLETED: 0, STOPPED: 0, FAILED: 0}
        self.infeasible = 0  # stopped before they ran; they do not count in num_samples
        self.retries = 0
        self.failure: tuple[str, str] | None = None  # the first: trial, message
        self.began: float | None = None  # this session
        self.heard: float | None = None  # its first result: before that, workers and libraries are loaded
        self.before = 0  # trials that were over by then
        self._size = size
        self._savings = Savings()

    # --- hearing -----------------------------------------------------------------------------------------------------

    def start(self, trial: Trial) -> None:
        row = self.live.get(trial.id)
        if row is None:
            row = self.live[trial.id] = Row(trial)
        row.trial = trial

    def result(self, trial: Trial, result: Result) -> None:
        row = self.live[trial.id]
        row.trial, row.result, row.checkpoint = trial, result, result.checkpoint
        if row.first is None:
            row.first = result
        if self.heard is None:
            self.heard = self.run.now

    def end(self, trial: Trial) -> Row:
        row = self.live.pop(trial.id)
        row.trial, row.running = trial, False
        row.saw(trial.checkpoint)
        self.ended[trial.state] += 1
        if trial.state == FAILED:
            if self.failure is None:
                self.failure = trial.id, trial.reason or "no reason given"
        elif trial.reason == "infeasible" and not trial.attempt:
            self.infeasible += 1
        if row.first is not None and row.result is not None:
            self._savings.over(row.first, row.result, early=trial.state == STOPPED)
            row.score = self.run.objective.score(row.result)
            if row.score > -math.inf and (len(self.best) < self._size or row.rank() < self.best[-1].rank()):
                insort(self.best, row, key=Row.rank)
                del self.best[self._size :]
        return row

    def event(self, event: Event) -> None:
        """What no tell says. It may be of an earlier session, and about a trial that is over since."""
        kind, body = event.kind, event.body
        if kind in ("opened", "changed"):
            self.began, self.heard = self.run.now, None
            self.before = self.over
            for each in self.live.values():
                each.running = False
            return
        row = self.live.get(event.trial or "")
        if row is None and kind in ("checkpoint", "deleted"):  # a trial that was told to stop saves one on its way out
            row = next((each for each in self.best if each.trial.id == event.trial), None)
        if row is None:
            return
        if kind == "launched":
            row.running = True
        elif kind == "interrupted" or (kind == "decided" and body["decision"] == "pause"):
            row.running = False
            self.retries += "failure" in body
        elif kind == "checkpoint":
            row.saw(body["path"])
        elif kind == "deleted" and row.checkpoint == body["path"]:
            row.checkpoint = None

    # --- asking ------------------------------------------------------------------------------------------------------

    @property
    def over(self) -> int:
        return sum(self.ended.values()) - self.infeasible

    def running(self) -> list[Row]:
        # A copy in one step: the table is drawn by another thread.
        return [row for row in list(self.live.values()) if row.running]

    def ranking(self, size: int) -> list[Row]:
        """The best trials, those that are not over among them."""
        unfinished = list(self.live.values())
        for row in unfinished:
            if row.result is not None:
                row.score = self.run.objective.score(row.result)
        return sorted([row for row in (*self.best, *unfinished) if row.score > -math.inf], key=Row.rank)[:size]

    def counts(self) -> dict[str, int]:
        """By the words that people read; waiting are those that wait for a slot or for the scheduler."""
        running = len(self.running())
        counts = {"running": running, "waiting": len(self.live) - running}
        counts |= {state.lower(): count for state, count in self.ended.items()}
        if self.infeasible:
            counts["stopped"] -= self.infeasible
            counts["infeasible"] = self.infeasible
        return counts

    def elapsed(self, now: float) -> float:
        """Seconds of this session."""
        return 0.0 if self.began is None else max(0.0, now - self.began)

    def progress(self, now: float) -> float | None:
        """The part of the budget, trials or time, that is used up; None where there is none."""
        parts = []
        if self.run.limits.trials:
            parts.append(self.over / self.run.limits.trials)
        if self.run.limits.time:
            parts.append((self.run.elapsed + self.elapsed(now)) / self.run.limits.time)
        return min(1.0, max(parts)) if parts else None

    def saved(self, finished: bool) -> Saved | None:
        """By ending trials early. Once the run is finished, those that still wait for the scheduler wait for ever."""
        rows = self.live.values() if finished else ()
        waiting = [(row.first, row.result) for row in rows if row.first is not None and row.result is not None]
        return self._savings.total(waiting)

    def left(self, now: float) -> float | None:
        """An estimate of the seconds that are left, from how many trials have ended so far; None where there is no ground.

        The first trials to end are the short ones, so there is none before as many have ended as run now.
        """
        estimates, elapsed = [], self.elapsed(now)
        done = self.over - self.before
        if self.run.limits.trials and done >= max(GROUND, len(self.running())):
            pace = (now - self.heard if self.heard is not None else elapsed) / done
            estimates.append(pace * max(0, self.run.limits.trials - self.over))
        if self.run.limits.time:
            estimates.append(max(0.0, self.run.limits.time - self.run.elapsed - elapsed))
        return min(estimates) if estimates else None
