"""Modifier: a searcher in front of a searcher. `points_to_evaluate` and `warm_start` are two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import pluggy

from microtune import events as ev
from microtune import hookspecs
from microtune.answers import Batch, Decision, Discard, Start, Suggestion
from microtune.events import Event
from microtune.facts import Facts
from microtune.faults import OptionError
from microtune.hookspecs import hookimpl
from microtune.journal import Reader
from microtune.space import Space
from microtune.trial import COMPLETED, STOPPED, Result, Trial


class Modifier:
    """Forwards every hook to the searcher behind it; a subclass overrides what it changes.

    It may answer without asking, ask twice, and tell other trials and results than it heard. `inner` is a plugin, which
    lives in a PluginManager of its own; `self.inner.suggest(run=..., rng=...)` calls it.
    """

    def __init__(self, inner: Any) -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(inner)
        self.inner = manager.hook

    @hookimpl
    def setup(self, run: Facts) -> None:
        self.inner.setup(run=run)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Suggestion | None:
        return cast("Suggestion | None", self.inner.suggest(run=run, rng=rng))

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        self.inner.on_start(run=run, trial=trial)

    @hookimpl
    def launch(self, run: Facts, trial: Trial) -> None:
        self.inner.launch(run=run, trial=trial)

    @hookimpl
    def wait(self, run: Facts, until: float) -> Batch | None:
        return cast("Batch | None", self.inner.wait(run=run, until=until))

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        self.inner.on_result(run=run, trial=trial, result=result)

    @hookimpl
    def decide(self, run: Facts, trial: Trial, result: Result) -> Decision | None:
        return cast("Decision | None", self.inner.decide(run=run, trial=trial, result=result))

    @hookimpl
    def steer(self, run: Facts, trial: Trial, decision: Decision | Discard) -> None:
        self.inner.steer(run=run, trial=trial, decision=decision)

    @hookimpl
    def checkpoint(self, run: Facts, trial: Trial, checkpoint: str) -> list[str] | None:
        return cast("list[str] | None", self.inner.checkpoint(run=run, trial=trial, checkpoint=checkpoint))

    @hookimpl
    def on_end(self, run: Facts, trial: Trial) -> None:
        self.inner.on_end(run=run, trial=trial)

    @hookimpl
    def log(self, run: Facts, event: Event) -> None:
        self.inner.log(run=run, event=event)

    @hookimpl
    def teardown(self, run: Facts, error: BaseException | None) -> None:
        self.inner.teardown(run=run, error=error)


class PointsToEvaluate(Modifier):
    """Proposes the given points first. Parameters that a point leaves out are sampled; open grids are gone through."""

    _KEY = "points_to_evaluate"

    def __init__(self, inner: Any, *, points: Sequence[dict[str, Any]]) -> None:
        super().__init__(inner)
        self._given = points
        self._points: list[dict[str, Any]] = []
        self._next = 0

    @hookimpl
    def setup(self, run: Facts) -> None:
        for index, point in enumerate(self._given):
            check_point(point, index, run.space)
            given = run.space.flatten(point)
            self._points += [run.space.assemble({**given, **cell}) for cell in run.space.cells(point)]
        super().setup(run)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Suggestion | None:
        if self._next < len(self._points):
            return Start(self._points[self._next], token={self._KEY: self._next})
        return super().suggest(run, rng)

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        if isinstance(trial.token, dict) and self._KEY in trial.token:
            self._next = max(self._next, trial.token[self._KEY] + 1)
            trial = trial._replace(token=None)  # not a trial of the searcher behind
        super().on_start(run, trial)


def check_point(point: Any, index: int, space: Space) -> None:
    """A point holds parameters of the space; a misspelt one would be sampled at random without a word."""
    if not isinstance(point, dict):
        raise OptionError(f"points_to_evaluate[{index}] is {point!r}: each point is a dict of parameters")
    for key in point:
        if key not in space.spec:
            raise OptionError(f"points_to_evaluate[{index}] sets {key!r}, which the space does not have: {sorted(space.spec)}")


class WarmStart(Modifier):
    """Tells the searcher the finished trials of earlier runs, as trials that it did not suggest."""

    def __init__(self, inner: Any, *, paths: Sequence[str]) -> None:
        super().__init__(inner)
        self._paths = paths

    @hookimpl
    def setup(self, run: Facts) -> None:
        super().setup(run)
        told = 0
        for path in self._paths:
            reader = Reader(path)
            ended = {
                event.trial: event.body
                for event in reader.events(kinds=(ev.ENDED,))
                if event.body["state"] in (COMPLETED, STOPPED) and event.body["reason"] != "infeasible"
            }
            trials: dict[str | None, Trial] = {}
            for event in reader.events(kinds=(ev.CREATED, ev.RESUMED, ev.RESULT, ev.ENDED)):
                if event.trial in ended:
                    told = self._tell(run, event, trials, told)
            reader.close()

    def _tell(self, run: Facts, event: Event, trials: dict[str | None, Trial], told: int) -> int:
        body = event.body
        if event.kind == ev.CREATED:
            if not run.space.contains(body["config"]):
                return told
            # A number of its own, below those of this run.
            trial = Trial(f"warm-{told:05d}", -1 - told, body["config"])
            told += 1
            self.inner.on_start(run=run, trial=trial)
        elif event.trial not in trials:
            return told
        elif event.kind == ev.RESUMED:
            old = trials[event.trial]
            trial = old._replace(config=body.get("config", old.config), starts=old.starts + 1)
            self.inner.on_start(run=run, trial=trial)
        elif event.kind == ev.RESULT:
            if body.get("repeat"):
                return told
            trial = trials[event.trial]._replace(iteration=body["iteration"])
            result = Result(body["metrics"], body["iteration"], body["time_total_s"], event.at)
            self.inner.on_result(run=run, trial=trial, result=result)
        else:
            trial = trials[event.trial]._replace(state=body["state"], reason=body["reason"])
            self.inner.on_end(run=run, trial=trial)
        trials[event.trial] = trial
        return told
