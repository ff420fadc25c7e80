"""How long things take, in virtual seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from microtune import Facts, Float, Integer, Normal, OptionError, RunError, Trial

Seconds = float | str | Float | Integer | Normal | Callable[[dict[str, Any], int, dict[str, Any]], float]


class Costs:
    """The options of `SimulatedExecutor`."""

    def __init__(
        self, seconds: Seconds, stragglers: float, *, startup: float, saving: float, restoring: float, crashes: float,
        preemptions: float,
    ) -> None:  # fmt: skip
        self.startup = startup
        self.saving = saving
        self.restoring = restoring
        self.crashes = crashes
        self.preemptions = preemptions
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not (number or callable(seconds) or isinstance(seconds, (str, Float, Integer, Normal))):
            raise OptionError(
                f"executor 'simulated': seconds={seconds!r}, and it is a number, a distribution such as "
                "microtune.uniform(1, 3), the name of a metric, or a function of config, iteration and metrics"
            )
        if number and not 0 < seconds < math.inf:  # type: ignore[operator]
            raise OptionError(
                f"executor 'simulated': seconds={seconds!r}, and a step takes more than none: time must pass"
            )
        self._seconds = seconds
        self._constant = float(seconds) if number else None  # type: ignore[arg-type]
        self._stragglers = stragglers

    def step(self, run: Facts, trial: Trial, iteration: int, metrics: dict[str, Any]) -> float:
        """Of the step that ends with this report."""
        if self._constant is not None:
            return self._constant
        seconds = self._seconds
        if isinstance(seconds, str):
            if seconds not in metrics:
                raise RunError(
                    f"seconds={seconds!r} is the metric that says how long a step took, and trial {trial.id} reported "
                    f"{list(metrics)} at iteration {iteration}: report it too, or give another seconds="
                )
            value = metrics[seconds]
        elif isinstance(seconds, (Float, Integer, Normal)):
            value = max(0.0, seconds.sample(run.rng("seconds", trial.number, iteration)))
        else:
            value = seconds(trial.config, iteration, metrics)  # type: ignore[operator]
        try:
            spent = float(value)
        except (TypeError, ValueError):
            spent = math.nan
        if not 0 <= spent < math.inf:
            raise RunError(
                f"iteration {iteration} of trial {trial.id} takes {value!r} seconds, says seconds={seconds!r}: it must be a "
                "finite number that is not negative"
            )
        return spent

    def slowness(self, run: Facts, trial: Trial, strikes: int) -> float:
        """How many times longer all steps of an attempt take.

        1 + |z| with z normal: the stragglers of Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys
        2020, appendix A. An attempt is named by what ended those before it, since the driver's death also begins another one.
        """
        if not self._stragglers:
            return 1.0
        return 1.0 + abs(
            run.rng("straggler", trial.number, trial.starts, trial.failures, strikes).gauss(0, self._stragglers)
        )
