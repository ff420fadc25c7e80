"""When to stop: rules that count in `on_result` and `on_end` and answer in `decide` (and `suggest`), which only read.

`Tuner(stop=)` is a dict {"metric": value} (stop at `metric >= value`, as in Ray Tune), an expression "loss < 0.1", a function
(trial_id, metrics) -> bool, a rule such as TrialPlateau() or any other plugin, or a list of these, of which any one stops.
A metric that a result does not have, or that is not a number, stops nothing.
"""

from __future__ import annotations

import math
import operator
import re
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from microtune.answers import Decision, Stop, StopRun
from microtune.facts import Facts
from microtune.faults import OptionError
from microtune.hookspecs import HOOKS, PROJECT, hookimpl
from microtune.objective import Objective
from microtune.trial import Result, Trial

GRAMMAR = (
    'write comparisons METRIC < NUMBER (also <=, >, >=, ==), joined with "and" and "or", of which "and" binds closer; '
    'for example "loss < 0.1 or training_iteration >= 100 and eval/accuracy > 0.9"'
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip
_COMPARISON = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|<|>)\s*(\S+)\s*")


def parse_stop(stop: Any) -> list[Any]:
    """The rules that `Tuner(stop=)` describes, as plugins."""
    if stop is None:
        return []
    if isinstance(stop, (list, tuple)):
        return [rule for each in stop for rule in parse_stop(each)]
    if isinstance(stop, dict):
        return [Condition(_thresholds(stop))]
    if isinstance(stop, str):
        return [Condition(_expression(stop))]
    if isinstance(stop, type):
        raise OptionError(f"stop is the class {stop.__qualname__}; give an instance: {stop.__qualname__}()")
    if any(hasattr(getattr(stop, hook, None), f"{PROJECT}_impl") for hook in HOOKS):
        return [stop]
    if callable(stop):
        return [Predicate(stop)]
    raise OptionError(
        f"stop is {stop!r}; give a dict {{metric: value}}, an expression such as 'loss < 0.1', "
        "a function (trial_id, metrics) -> bool, a stop rule such as TrialPlateau(), or a list of these"
    )


class Comparison(NamedTuple):
    metric: str
    sign: str
    value: float

    def holds(self, result: Result) -> bool:
        value = result.get(self.metric)
        return isinstance(value, (int, float)) and _SIGNS[self.sign](value, self.value)

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.value:g}"


class Condition:
    """Stops a trial whose result meets every comparison of one of the alternatives."""

    def __init__(self, alternatives: list[list[Comparison]]) -> None:
        self.alternatives = alternatives

    @hookimpl
    def decide(self, result: Result) -> Decision | None:
        for alternative in self.alternatives:
            if all(comparison.holds(result) for comparison in alternative):
                return Stop(" and ".join(map(str, alternative)), finished=True)
        return None

    def __repr__(self) -> str:
        return " or ".join(" and ".join(map(str, alternative)) for alternative in self.alternatives)


class Predicate:
    """Stops a trial for which a function (trial_id, metrics) is true; the metrics include the kernel's own counters."""

    def __init__(self, func: Callable[[str, dict[str, Any]], bool]) -> None:
        self.func = func
        self.name = getattr(func, "__qualname__", repr(func))

    @hookimpl
    def decide(self, trial: Trial, result: Result) -> Decision | None:
        counted = {"training_iteration": result.training_iteration, "time_total_s": result.time_total_s}
        true = self.func(trial.id, {**result.metrics, **counted})
        return Stop(f"{self.name} is true", finished=True) if true else None

    def __repr__(self) -> str:
        return f"Predicate({self.name})"


class TrialPlateau:
    """Stops a trial whose metric stays where it is: the standard deviation of its last `num_results` is at most `std`.

    Not before `grace_period` results, nor, if there is a `metric_threshold`, before the last result is at least that good.
    NaN is no plateau. `metric` and `mode` are the run's unless given.
    """

    def __init__(
        self,
        *,
        metric: str | None = None,
        std: float = 0.01,
        num_results: int = 4,
        grace_period: int = 4,
        metric_threshold: float | None = None,
        mode: str | None = None,
    ) -> None:
        _at_least("TrialPlateau", "std", std, 0, whole=False)
        _at_least("TrialPlateau", "num_results", num_results, 2)
        _at_least("TrialPlateau", "grace_period", grace_period, 0)
        if metric_threshold is not None and not _is_finite(metric_threshold):
            raise OptionError(f"TrialPlateau: metric_threshold is {metric_threshold!r}; it must be a number")
        self.std = std
        self.num_results = num_results
        self.grace_period = grace_period
        self.metric_threshold = metric_threshold
        self._given = metric, mode
        self._windows: dict[str, deque[float]] = {}
        self._counts: dict[str, int] = {}

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = _followed("TrialPlateau", run.objective, *self._given, moded=self.metric_threshold is not None)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        value = self._objective.value(result)
        if value is not None:
            self._windows.setdefault(trial.id, deque(maxlen=self.num_results)).append(value)
            self._counts[trial.id] = self._counts.get(trial.id, 0) + 1

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._windows.pop(trial.id, None)
        self._counts.pop(trial.id, None)

    @hookimpl
    def decide(self, trial: Trial) -> Decision | None:
        window = self._windows.get(trial.id)
        if window is None or len(window) < self.num_results or self._counts[trial.id] < self.grace_period:
            return None
        metric, mode = self._objective.metrics[0], self._objective.modes[0]
        if self.metric_threshold is not None and not (
            window[-1] <= self.metric_threshold if mode == "min" else window[-1] >= self.metric_threshold
        ):
            return None
        std = _std(window)
        if not std <= self.std:  # NaN is neither above nor below
            return None
        reason = f"plateau: the last {self.num_results} values of {metric} have a standard deviation of {std:.3g}"
        return Stop(reason, finished=True)


class ExperimentPlateau:
    """Ends the run once its best trials no longer get better: the standard deviation of the `top` best is at most `std`,
    and still is after `patience` more trials.

    A trial counts once, when it is over, with the best value that it ever had; one without any value does not count.
    `metric` and `mode` are the run's unless given.
    """

    def __init__(
        self, *, metric: str | None = None, std: float = 0.001, top: int = 10, mode: str | None = None, patience: int = 0
    ) -> None:
        _at_least("ExperimentPlateau", "std", std, 0, whole=False)
        _at_least("ExperimentPlateau", "top", top, 2)
        _at_least("ExperimentPlateau", "patience", patience, 0)
        self.std = std
        self.top = top
        self.patience = patience
        self._given = metric, mode
        self._best: dict[str, float] = {}  # of the trials that are not over
        self._scores: list[float] = []  # of the best that are, worst first
        self._ended_on_plateau = 0

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = _followed("ExperimentPlateau", run.objective, *self._given, moded=True)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        score = self._objective.score(result)
        if math.isfinite(score):
            self._best[trial.id] = max(score, self._best.get(trial.id, score))

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        score = self._best.pop(trial.id, None)
        if score is None:
            return
        insort(self._scores, score)
        del self._scores[: -self.top]
        self._ended_on_plateau = self._ended_on_plateau + 1 if self._flat() else 0

    @hookimpl
    def decide(self) -> Decision | None:
        return self._verdict()

    @hookimpl
    def suggest(self) -> StopRun | None:
        return self._verdict()

    def _flat(self) -> bool:
        return len(self._scores) == self.top and _std(self._scores) <= self.std

    def _verdict(self) -> StopRun | None:
        if self._ended_on_plateau <= self.patience:
            return None
        metric, std = self._objective.metrics[0], _std(self._scores)
        return StopRun(f"plateau: the {self.top} best trials have a standard deviation of {std:.3g} in {metric}")


def _thresholds(given: dict[str, Any]) -> list[list[Comparison]]:
    if not given:
        raise OptionError("stop is an empty dict; name a metric and its value, or leave stop out")
    for metric, value in given.items():
        if not isinstance(metric, str) or not _is_finite(value):
            raise OptionError(f"stop has {metric!r}: {value!r}; a dict holds names of metrics and the numbers to stop at")
    return [[Comparison(metric, ">=", float(value))] for metric, value in given.items()]


def _expression(text: str) -> list[list[Comparison]]:
    return [
        [_comparison(part, text) for part in re.split(r"\sand\s", alternative)]
        for alternative in re.split(r"\sor\s", text)
    ]


def _comparison(part: str, whole: str) -> Comparison:
    match = _COMPARISON.fullmatch(part)
    if match is None:
        raise OptionError(f"stop={whole!r}: {part.strip()!r} is no comparison; {GRAMMAR}")
    metric, sign, number = match.groups()
    if not math.isnan(_as_number(metric)):
        raise OptionError(f"stop={whole!r}: the metric stands on the left and the number on the right; {GRAMMAR}")
    value = _as_number(number)
    if math.isnan(value):
        raise OptionError(f"stop={whole!r}: {number!r} is not a number; {GRAMMAR}")
    return Comparison(metric, sign, value)


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)


def _followed(who: str, objective: Objective, metric: str | None, mode: str | None, *, moded: bool) -> Objective:
    """The metric that a rule follows: the run's only one, or the one that was named, whose mode is known if it is the run's."""
    if metric is None:
        metric = objective.single(who).metrics[0]
    if mode is None and metric in objective.metrics:
        mode = objective.modes[objective.metrics.index(metric)]
    if mode is None and moded:
        raise OptionError(f"{who}: metric {metric!r} is not one of the run's {list(objective.metrics)}; give its mode as well")
    return Objective(metric, mode or "min")


def _at_least(who: str, name: str, value: Any, least: int, *, whole: bool = True) -> None:
    if not _is_finite(value) or value < least or (whole and type(value) is not int):
        raise OptionError(f"{who}: {name} is {value!r}; it must be {'an integer' if whole else 'a number'}, at least {least}")


def _std(values: Collection[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) * (value - mean) for value in values) / len(values))  # ** would raise on overflow
