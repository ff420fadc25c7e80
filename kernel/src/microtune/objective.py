"""What is to be made small or large: metric(s), mode(s), and THE ONE PLACE where values that are no numbers get their rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from microtune.faults import OptionError
from microtune.trial import Result, lookup

WORST = -math.inf
_NOTHING = object()


class Objective:
    """Metric names, which may be paths such as "eval/accuracy", and as many modes, "min" or "max".

    A score is the value seen as something to maximise. What is missing, not a number, NaN or infinite scores -inf: worse than
    every number, and no better than each other.
    """

    __slots__ = ("metrics", "modes", "_metric", "_sign")

    def __init__(self, metric: str | Sequence[str], mode: str | Sequence[str]) -> None:
        self.metrics = _names("metric", metric)
        self.modes = _names("mode", mode)
        for each in self.modes:
            if each not in ("min", "max"):
                raise OptionError(f"mode is {each!r}; it must be 'min' or 'max'")
        if len(self.metrics) != len(self.modes):
            raise OptionError(
                f"there are {len(self.metrics)} metrics {list(self.metrics)} and {len(self.modes)} modes {list(self.modes)}; "
                "give one mode for each metric, in the same order"
            )
        if len(set(self.metrics)) != len(self.metrics):
            raise OptionError(f"metric is {list(self.metrics)}; name each metric once")
        self._metric = self.metrics[0]
        self._sign = -1.0 if self.modes[0] == "min" else 1.0

    def single(self, who: str) -> Objective:
        """Itself, for one who can follow one metric only; OptionError where there are several."""
        if len(self.metrics) > 1:
            raise OptionError(
                f"{who} needs one metric, the run has {list(self.metrics)}: name one metric, or choose another for several"
            )
        return self

    def value(self, result: Result | dict[str, Any]) -> float | None:
        """The first metric as it was reported; None where it is missing or not a number."""
        return _number(_get(result, self._metric))

    def score(self, result: Result | dict[str, Any]) -> float:
        """The first metric; bigger is better."""
        value = _get(result, self._metric)
        if type(value) is float or (value := _number(value)) is not None:
            return self._sign * value if -math.inf < value < math.inf else WORST
        return WORST

    def scores(self, result: Result | dict[str, Any]) -> tuple[float, ...]:
        """One score for each metric."""
        return tuple(map(self._score, (_get(result, metric) for metric in self.metrics), self.modes))

    def has(self, result: Result | dict[str, Any]) -> bool:
        """Whether every metric is there, whatever its value."""
        return all(_get(result, metric, _NOTHING) is not _NOTHING for metric in self.metrics)

    def better(self, a: Result | dict[str, Any], b: Result | dict[str, Any]) -> bool:
        """Whether the first metric of `a` beats that of `b`."""
        return self.score(a) > self.score(b)

    def dominates(self, a: Result | dict[str, Any], b: Result | dict[str, Any]) -> bool:
        """Whether `a` is in no metric worse than `b`, and in one better."""
        return _dominates(self.scores(a), self.scores(b))

    def pareto(self, results: Sequence[Result | dict[str, Any]]) -> list[int]:
        """The indices, in order, of those that no other one dominates; without those that have no number at all."""
        scores = [self.scores(result) for result in results]
        ranked = sorted((i for i, each in enumerate(scores) if max(each) > WORST), key=lambda i: scores[i], reverse=True)
        front: list[int] = []
        for i in ranked:  # whoever dominates it has come before, and so has one of the front who dominates that one
            if not any(_dominates(scores[j], scores[i]) for j in front):
                front.append(i)
        return sorted(front)

    def to_json(self) -> dict[str, list[str]]:
        return {"metric": list(self.metrics), "mode": list(self.modes)}

    @classmethod
    def from_json(cls, data: dict[str, list[str]]) -> Objective:
        return cls(data["metric"], data["mode"])

    @staticmethod
    def _score(value: Any, mode: str) -> float:
        number = _number(value)
        if number is None or not math.isfinite(number):
            return WORST
        return -number if mode == "min" else number

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Objective):
            return NotImplemented
        return (self.metrics, self.modes) == (other.metrics, other.modes)

    def __hash__(self) -> int:
        return hash((self.metrics, self.modes))

    def __repr__(self) -> str:
        return f"Objective({list(self.metrics)!r}, {list(self.modes)!r})"


def _names(argument: str, given: str | Sequence[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, (list, tuple)) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise OptionError(f"{argument} is {given!r}; it must be a string, or a list of strings for several objectives")
    return names


def _get(result: Result | dict[str, Any], name: str, default: Any = None) -> Any:
    return result.get(name, default) if isinstance(result, Result) else lookup(result, name, default)


def _number(value: Any) -> float | None:
    if type(value) is float:
        return value
    if type(value) is bool or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b
