"""What Ax optimises and keeps within bounds: the metrics of the run, and those that a constraint names."""

from __future__ import annotations

import math
from typing import Any

from microtune import Objective, Result
from microtune_search_ax.expressions import translated


class Outcomes:
    """`constraints`: linear expressions of metrics; one that names a metric of the objective is its threshold."""

    def __init__(self, objective: Objective, constraints: list[str]) -> None:
        self._names = {name: f"m{i}" for i, name in enumerate(objective.metrics)}
        self._objective = objective
        signs = ["-" if mode == "min" else "" for mode in objective.modes]
        self.expression = ", ".join(sign + name for sign, name in zip(signs, self._names.values(), strict=True))
        self.constraints = [translated(each, objective.metrics, self._name) for each in constraints]

    def missing(self, result: Result) -> list[str]:
        """The metrics that a constraint needs and the trial did not report."""
        return [name for name in self._names if result.get(name) is None and name not in self._objective.metrics]

    def of(self, result: Result) -> dict[str, float] | None:
        """The data of this result for Ax; None where some of it is no finite number."""
        values = {ax: result.get(name) for name, ax in self._names.items()}
        return {ax: float(value) for ax, value in values.items()} if all(map(_is_finite, values.values())) else None

    def _name(self, metric: str) -> str:
        return self._names.setdefault(metric, f"m{len(self._names)}")


def _is_finite(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, (int, float)) and math.isfinite(value)
