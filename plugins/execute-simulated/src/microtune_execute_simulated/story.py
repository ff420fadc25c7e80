"""What the tells say of the time of a trial: all that a resumed run needs to go on with what was in progress."""

from __future__ import annotations

import heapq

from microtune import Facts, Result, Trial
from microtune_execute_simulated.strikes import Strikes


class Story:
    """One trial that is not over."""

    __slots__ = ("born", "failures", "kept", "left", "occupies", "reported", "saved", "since", "started", "strikes")

    def __init__(self, born: float) -> None:
        self.born = born
        self.started = born  # when its worker took it up, the last time that it was created or resumed
        self.since = born  # its last result, or `started`
        self.reported = False  # `since` is a result
        self.saved = False  # with a checkpoint
        self.failures = 0  # counted ones, up to then
        self.kept = 0  # the iteration at which it was paused and wrote a checkpoint, be its exit journalled or not
        self.left = born  # when its last attempt has left its worker; no other one is launched before
        self.occupies = False  # a worker, or the place of one
        self.strikes: Strikes | None = None


class Stories:
    """workers: how many there are. saving: seconds for which a trial that was told to pause or stop keeps its worker, to write
    a checkpoint; `on_pause` and `on_stop` say whether it writes one.
    """

    def __init__(self, workers: int, saving: float, *, on_pause: bool, on_stop: bool) -> None:
        self._workers = workers
        self._saving = saving
        self._on_pause = on_pause
        self._on_stop = on_stop
        self._open: dict[str, Story] = {}
        self._occupied = 0  # workers, but for those that are being left
        self._left_at: list[float] = []  # a heap: when these will be free

    def of(self, trial: Trial) -> Story:
        return self._open[trial.id]

    def start(self, run: Facts, trial: Trial) -> None:
        story = self._open.get(trial.id)
        if story is None:
            story = self._open[trial.id] = Story(run.now)
        if not story.occupies:
            story.occupies = True
            self._occupied += 1
        story.started = story.since = max(self._free(run.now), story.left)
        story.reported = story.saved = False
        story.failures = trial.failures
        if trial.iteration != story.kept:  # a new line
            story.kept = 0

    def report(self, trial: Trial, result: Result) -> None:
        story = self._open[trial.id]
        story.since = result.at
        story.reported, story.saved = True, result.checkpoint is not None
        story.failures = trial.failures

    def pause(self, run: Facts, trial: Trial) -> None:
        story = self._open[trial.id]
        if self._on_pause:
            story.kept = trial.iteration
        self._leave(story, run.now, writes=self._on_pause)

    def end(self, run: Facts, trial: Trial) -> None:
        story = self._open.pop(trial.id)
        if trial.attempt == 0:  # it was never launched, and its worker is as free as before
            self._leave(story, story.started, writes=False)
        else:
            self._leave(story, run.now, writes=self._on_stop and trial.state == "STOPPED")

    def _leave(self, story: Story, at: float, *, writes: bool) -> None:
        if not story.occupies:  # it was paused
            return
        story.occupies = False
        self._occupied -= 1
        if writes and not story.saved:
            at += self._saving
        story.left = at
        heapq.heappush(self._left_at, at)

    def _free(self, now: float) -> float:
        """When there is a worker for one more: now, unless the last free one is still being left."""
        while self._left_at and self._left_at[0] <= now:
            heapq.heappop(self._left_at)
        if self._left_at and self._occupied + len(self._left_at) > self._workers:
            return heapq.heappop(self._left_at)
        return now
