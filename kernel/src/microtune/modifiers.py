"""Modifier: a searcher in front of a searcher. `points_to_evaluate` is one, `warm_start` (in its own file) another."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pluggy

from microtune import hookspecs
from microtune.answers import Batch, Decision, Discard, Start, Suggestion
from microtune.domains import Choice
from microtune.events import Event
from microtune.facts import Facts
from microtune.faults import OptionError, SpaceError
from microtune.hookspecs import hookimpl
from microtune.plain import plain
from microtune.space import Space
from microtune.trial import Result, Trial


class Modifier:
    """Forwards every hook to the searcher behind it; a subclass overrides what it changes.

    It may answer without asking, ask twice, and tell other trials and results than it heard. `inner` is a plugin, which
    lives in a PluginManager of its own; `self.inner.suggest(run=..., rng=...)` calls it.
    """

    def __init__(self, inner: Any) -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(inner)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            why = str(error).splitlines()[-1].strip()
            raise OptionError(f"the searcher {type(inner).__name__} does not keep the contract: {why}") from error
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
    def on_pause(self, run: Facts, trial: Trial) -> None:
        self.inner.on_pause(run=run, trial=trial)

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
        self._points = points
        # (token, config). A token says which point it is by what the point says, not by its place in the list, which may be
        # another one when the run is resumed.
        self._left: list[tuple[Any, dict[str, Any]]] = []

    @hookimpl
    def setup(self, run: Facts) -> None:
        for index, point in enumerate(self._points):
            for cell, config in enumerate(configs_of(point, index, run.space)):
                self._left.append(({self._KEY: [plain(point), cell]}, config))
        super().setup(run)

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Suggestion | None:
        if self._left:
            token, config = self._left[0]
            return Start(config, token=token)
        return super().suggest(run, rng)

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        if isinstance(trial.token, dict) and self._KEY in trial.token:
            if trial.starts == 1:
                place = next((i for i, (token, _) in enumerate(self._left) if token == trial.token), None)
                if place is not None:
                    del self._left[place]
            trial = trial._replace(token=None)  # not a trial of the searcher behind
        super().on_start(run, trial)


def configs_of(point: Any, index: int, space: Space) -> list[dict[str, Any]]:
    """The point, in every cell of the grids that it leaves open. OptionError where it is no point of this space."""
    what = f"points_to_evaluate[{index}]"
    if not isinstance(point, dict):
        raise OptionError(f"{what} is {point!r}: each point is a dict of parameters")
    for path in _strangers(point, space.spec):  # misspelt, it would be sampled at random without a word
        raise OptionError(f"{what} sets {path!r}, which the space does not have: {sorted(map(str, space.spec))}")
    try:
        given = plain(point)
        values = space.flatten(given)
        configs = [_within(space.assemble({**values, **cell}), given) if cell else given for cell in space.cells(given)]
        for config in configs:
            space.project(config, random.Random(0))
    except SpaceError as error:
        raise OptionError(f"{what}: {error}") from error
    return configs


def _strangers(point: Any, spec: Any, path: str = "") -> Iterator[str]:
    """What the point sets and the space does not know; of a conditional choice the branch counts that knows the most."""
    if isinstance(spec, dict) and isinstance(point, dict):
        for key, item in point.items():
            if key in spec:
                yield from _strangers(item, spec[key], f"{path}{key}/")
            else:
                yield f"{path}{key}"
    elif isinstance(spec, list) and isinstance(point, (list, tuple)):
        for i, (item, place) in enumerate(zip(point, spec, strict=False)):
            yield from _strangers(item, place, f"{path}{i}/")
    elif isinstance(spec, Choice) and spec.conditional:
        branches = [each for each in spec.categories if isinstance(each, dict) == isinstance(point, dict)]
        yield from min((list(_strangers(point, each, path)) for each in branches), key=len, default=[])


def _within(whole: Any, point: Any) -> Any:
    """The config with what the point sets of the values that are computed otherwise."""
    if not isinstance(whole, dict) or not isinstance(point, dict):
        return whole
    return {**point, **{key: _within(item, point.get(key)) for key, item in whole.items()}}
