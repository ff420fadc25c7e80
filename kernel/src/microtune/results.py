"""Results, read from the journal when they are asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, overload

from microtune import events as ev
from microtune.catalog import load_plugin
from microtune.events import Event
from microtune.faults import OptionError, RunError
from microtune.objective import Objective
from microtune.reader import Reader
from microtune.trial import ENDED, FAILED, PAUSED, PENDING, RUNNING, lookup
from microtune.trial_result import TrialResult, flattened, metrics_of, take

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]


class Source(Protocol):
    """A journal that can be read."""

    def events(self, after: int = 0) -> Iterator[Event]: ...


class ResultGrid(Sequence[TrialResult]):
    """The trials of a run, in the order of their creation. `ResultGrid(path)` opens a run, also while it goes on."""

    def __init__(
        self, path: str | os.PathLike[str], objective: Objective | None = None, *, source: Source | None = None
    ) -> None:
        self.path = os.path.abspath(path)
        self._source = source or Reader(self.path)
        self._objective = objective
        self._trials: list[TrialResult] | None = None
        self._settings: dict[str, Any] = {}
        self._closed: dict[str, Any] | None = None

    # --- the sequence ------------------------------------------------------------------------------------------------

    @property
    def trials(self) -> list[TrialResult]:
        if self._trials is None:
            self._trials = self._read()
        return self._trials

    @property
    def settings(self) -> dict[str, Any]:
        """What Tuner was given, as the journal has it."""
        if self._trials is None:
            self._trials = self._read()
        return self._settings

    @property
    def closed(self) -> dict[str, Any] | None:
        """How the last session ended: {reason, finished, error?}; None: it goes on, or was killed."""
        if self._trials is None:
            self._trials = self._read()
        return self._closed

    def refresh(self) -> None:
        """Read the journal again at the next question."""
        self._trials = None

    def __len__(self) -> int:
        return len(self.trials)

    @overload
    def __getitem__(self, index: int) -> TrialResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrialResult]: ...
    def __getitem__(self, index: int | slice) -> TrialResult | list[TrialResult]:
        return self.trials[index]

    @property
    def errors(self) -> list[TrialResult]:
        """The failed trials."""
        return [trial for trial in self.trials if trial.state == FAILED]

    @property
    def objective(self) -> Objective:
        if self._objective is None:
            if not self.settings:
                raise RunError(f"the run in {self.path!r} was ended before it began: it has no metric and no trial")
            self._objective = Objective(self.settings["metric"], self.settings["mode"])
        return self._objective

    # --- questions ---------------------------------------------------------------------------------------------------

    def get_best_result(self, metric: str | None = None, mode: str | None = None, scope: str = "last") -> TrialResult:
        """The best trial by `metric`; the run's own if None.

        scope: what of a trial counts: "last" result, "all" (its best one: the answer then has the metrics and the checkpoint
        of that step), "avg", "last-5-avg", "last-10-avg". NaN and infinities rank worst.
        """
        objective = self.chosen(metric, mode)
        scored: list[tuple[float, TrialResult]] = []
        if scope == "last":
            scored = [(objective.score(trial.metrics), trial) for trial in self.trials]
        elif scope == "all":
            histories = self.histories()
            for trial in self.trials:
                steps = histories.get(trial.id)
                if steps:
                    best = max(steps, key=objective.score)
                    scored.append((objective.score(best), trial.at(best)))
        else:
            count = _AVERAGES.get(scope)
            if count is None:
                raise OptionError(f"scope={scope!r}: it is one of last, all, {', '.join(_AVERAGES)}")
            histories = self.histories()
            for trial in self.trials:
                scores = [objective.score(row) for row in histories.get(trial.id, ()) if objective.has(row)][-count:]
                if scores:
                    scored.append((sum(scores) / len(scores), trial))
        finite = [pair for pair in scored if math.isfinite(pair[0])]
        if not finite:
            raise RunError(self._why_no_best(objective, scope))
        return max(finite, key=lambda pair: pair[0])[1]  # the earliest of equals

    def pareto_front(self) -> list[TrialResult]:
        """The trials whose last metrics no other trial dominates."""
        objective = self.objective
        candidates = [t for t in self.trials if all(math.isfinite(s) for s in objective.scores(t.metrics))]
        return [candidates[i] for i in objective.pareto([t.metrics for t in candidates])]

    def get_dataframe(self) -> pandas.DataFrame:
        """One row a trial: id, number, state, reason, its last metrics, and its config with `config/` before the names."""
        try:
            import pandas
        except ImportError as error:
            raise RunError("get_dataframe() needs pandas: pip install pandas") from error
        return pandas.DataFrame([self.row(trial) for trial in self.trials])

    @staticmethod
    def row(trial: TrialResult) -> dict[str, Any]:
        """A trial as a flat dict, nested names joined with slashes."""
        head = {"trial": trial.id, "number": trial.number, "state": trial.state, "reason": trial.reason}
        return {**head, **flattened(trial.metrics, ""), **flattened(trial.config, "config/")}

    def events(self, after: int = 0) -> Iterator[Event]:
        """What the journal holds, in its order, from behind the event whose seq is `after`."""
        return self._source.events(after)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """`plot_NAME(**options)`: an installed figure, as a plotly Figure; `microtune plugins NAME` shows its options."""
        if not name.startswith("plot_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return partial(load_plugin("figure", name.removeprefix("plot_").replace("_", "-")), self)

    def histories(self, trial_ids: set[str] | None = None) -> dict[str, list[dict[str, Any]]]:
        """The metrics of every result, by trial; of these trials only, if they are named."""
        found: dict[str, list[dict[str, Any]]] = {}
        if trial_ids is not None and len(trial_ids) == 1 and isinstance(self._source, Reader):
            events = self._source.events(kinds=(ev.RESULT,), trial=next(iter(trial_ids)))
        else:
            events = self._source.events()
        for event in events:
            if event.kind == ev.RESULT and not event.body.get("repeat") and event.trial is not None:
                if trial_ids is None or event.trial in trial_ids:
                    found.setdefault(event.trial, []).append(metrics_of(event.body))
        return found

    def chosen(self, metric: str | None, mode: str | None) -> Objective:
        """The objective of a question: the run's, unless a metric is named."""
        if metric is None:
            if mode is not None:
                raise OptionError("mode= goes with metric=")
            self.objective.single("get_best_result() without metric=")
            return self.objective
        if mode is None:
            own = dict(zip(self.objective.metrics, self.objective.modes, strict=True))
            if metric not in own:
                raise OptionError(f"metric={metric!r} is not the run's own: say mode='min' or mode='max' too")
            mode = own[metric]
        return Objective(metric, mode)

    def _why_no_best(self, objective: Objective, scope: str) -> str:
        name = objective.metrics[0]
        steps = [row for rows in self.histories().values() for row in rows]
        if scope == "last" and any(math.isfinite(objective.score(row)) for row in steps):
            return f"no trial has a finite {name!r} in its last result, but in earlier ones: say scope='all'"
        if any(lookup(row, name) is not None for row in steps):
            return f"no trial has a finite {name!r}: what was reported is NaN or infinite"
        failed = self.errors
        if failed and len(failed) == len(self):
            return f"no trial has a finite {name!r}: all {len(failed)} failed; the first: {failed[0].reason}"
        reported = sorted({key for row in steps for key in row})
        return f"no trial has reported {name!r}; reported were: {', '.join(reported) or 'no metrics at all'}"

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> list[TrialResult]:
        trials: dict[str | None, TrialResult] = {}
        self._closed = None
        for event in self._source.events():
            kind, body = event.kind, event.body
            if kind == ev.CREATED and event.trial is not None:
                trials[event.trial] = TrialResult(self, event.trial, body["number"], body["config"])
            elif kind in (ev.OPENED, ev.CHANGED):
                self._settings.update(body["settings"])
                self._closed = None
            elif kind == ev.CLOSED:
                self._closed = body
            elif event.trial in trials:
                take(trials[event.trial], kind, body)
        return list(trials.values())

    def __repr__(self) -> str:
        counts = dict.fromkeys((*ENDED, PENDING, RUNNING, PAUSED), 0)
        for trial in self.trials:
            counts[trial.state] += 1
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return f"ResultGrid({self.path!r}, {len(self)} trials: {told or 'none'})"


_AVERAGES = {"avg": 1 << 60, "last-5-avg": 5, "last-10-avg": 10}
