"""warm_start: the searcher is told the finished trials of earlier runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from typing import Any, TypedDict

from microtune import events as ev
from microtune.events import Event
from microtune.facts import Facts
from microtune.faults import OptionError, RunError
from microtune.hookspecs import hookimpl
from microtune.kernel import say
from microtune.modifiers import Modifier
from microtune.reader import Reader
from microtune.trial import COMPLETED, STOPPED, Result, Trial


class Source(TypedDict):
    """An earlier run as far as it had come when it was first told: it may go on since, and a resume tells the same again."""

    path: str
    id: str
    seq: int  # the last event that counts


def sources(paths: Sequence[str | os.PathLike[str]], known: Sequence[Source], own_id: str) -> list[Source]:
    """The runs at these paths; `known` are those that this run has been told already, wherever they lie now."""
    found = []
    for path in map(os.path.abspath, paths):
        try:
            with closing(Reader(path)) as reader:
                opened, seq = reader.last(ev.OPENED), reader.seq()
        except RunError as error:
            raise OptionError(f"warm_start: {error}{_WAY_OUT if known else ''}") from error
        if opened is None:
            raise OptionError(f"warm_start: the run in {path!r} was ended before it began: it has no trials")
        if opened.body["id"] == own_id:
            raise OptionError(f"warm_start: {path!r} is the run itself, whose searcher knows its trials anyway: leave it out")
        before = next((source["seq"] for source in known if source["id"] == opened.body["id"]), None)
        if before is not None and seq < before:
            raise OptionError(
                f"warm_start: the run in {path!r} has {seq} events; this run was told {before} of them, and can only go on "
                f"the same if they are there{_WAY_OUT}"
            )
        found.append(Source(path=path, id=opened.body["id"], seq=seq if before is None else before))
    return found


_WAY_OUT = (
    ". If it was moved, give all the runs again, warm_start=[...] or --warm-start, with its new place; to go on without what "
    "it told, leave it out (warm_start=[], --warm-start none)"
)


class WarmStart(Modifier):
    """Tells the searcher the finished trials of earlier runs, as trials that it did not suggest.

    Those are the ones that completed or were stopped, lie in the space, and reported what this run optimises.
    """

    def __init__(self, inner: Any, *, sources: Sequence[Source]) -> None:
        super().__init__(inner)
        self._sources = sources
        self._told = 0

    @hookimpl
    def setup(self, run: Facts) -> None:
        super().setup(run)
        for source in self._sources:
            before = self._told
            try:
                with closing(Reader(source["path"])) as reader:
                    self._tell_all(run, source, reader)
            except RunError as error:
                raise OptionError(f"warm_start: {error}") from error
            if self._told == before:
                say.warning(
                    "warm_start: the run in %s has no finished trial that lies in the space and reported %s, so the searcher "
                    "learns nothing from it", source["path"], ", ".join(run.objective.metrics),
                )  # fmt: skip

    def _tell_all(self, run: Facts, source: Source, reader: Reader) -> None:
        wanted = _wanted(run, _events(reader, source))
        trials: dict[str, Trial] = {}
        for event in _events(reader, source):
            if event.trial is not None and event.trial in wanted:
                self._tell(run, event, event.trial, trials)

    def _tell(self, run: Facts, event: Event, trial_id: str, trials: dict[str, Trial]) -> None:
        body = event.body
        if event.kind == ev.CREATED:
            # A number of its own, below those of this run.
            trial = Trial(f"warm-{self._told:05d}", -1 - self._told, body["config"])
            self._told += 1
            self.inner.on_start(run=run, trial=trial)
        elif event.kind == ev.RESUMED:
            old = trials[trial_id]
            trial = old._replace(config=body.get("config", old.config), starts=old.starts + 1)
            self.inner.on_start(run=run, trial=trial)
        elif event.kind == ev.RESULT and not body.get("repeat"):
            trial = trials[trial_id]._replace(iteration=body["iteration"])
            result = Result(body["metrics"], body["iteration"], body["time_total_s"], event.at)
            self.inner.on_result(run=run, trial=trial, result=result)
        elif event.kind == ev.ENDED:
            trial = trials[trial_id]._replace(state=body["state"], reason=body["reason"], finished=ev.finished(body))
            self.inner.on_end(run=run, trial=trial)
        else:
            return
        trials[trial_id] = trial


def _events(reader: Reader, source: Source) -> Iterator[Event]:
    return takewhile(lambda event: event.seq <= source["seq"], reader.events())


def _wanted(run: Facts, events: Iterator[Event]) -> set[str | None]:
    outside: set[str | None] = set()
    measured: set[str | None] = set()
    finished: set[str | None] = set()
    for event in events:
        body = event.body
        if event.kind in (ev.CREATED, ev.RESUMED):
            if "config" in body and not run.space.contains(body["config"]):
                outside.add(event.trial)
        elif event.kind == ev.RESULT:
            if run.objective.has(body["metrics"]):
                measured.add(event.trial)
        elif event.kind == ev.ENDED and body["state"] in (COMPLETED, STOPPED):
            finished.add(event.trial)
    return finished & measured - outside
