"""A space in which the configs lie: Ray Tune keeps the declared one in a pickle, which is not read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from microtune import Float, Integer, choice


def observed_space(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the keys that all have: a constant where all agree, the range of what are numbers, else a choice of what there was."""
    shared = [key for key in (configs[0] if configs else ()) if all(key in config for config in configs)]
    return {key: _domain([config[key] for config in configs]) for key in shared}


def _domain(values: list[Any]) -> Any:
    if all(isinstance(value, dict) for value in values):
        return observed_space(values)
    distinct = {json.dumps(value, sort_keys=True): value for value in values}
    if len(distinct) == 1:
        return values[0]
    if all(type(value) is int for value in values):
        return Integer(min(values), max(values), _is_logarithmic(values))
    if all(type(value) in (int, float) and math.isfinite(value) for value in values):
        return Float(float(min(values)), float(max(values)), _is_logarithmic(values))
    return choice(list(distinct.values()))


def _is_logarithmic(values: list[float]) -> bool:
    """Whether half of them lie below the geometric rather than the arithmetic middle of a range of ten times and more."""
    low, high, half = min(values), max(values), median(values)
    if low <= 0 or high < 10 * low:
        return False
    return abs(math.log(half / math.sqrt(low * high))) < abs(math.log(half / ((low + high) / 2)))
