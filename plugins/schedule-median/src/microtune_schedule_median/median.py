"""The scheduler: its options, and what it does with each result."""

from __future__ import annotations

import math
from itertools import count
from typing import Literal

from microtune import Continue, Decision, Facts, OptionError, Result, Stop, Trial, hookimpl
from microtune_schedule_median.curves import Curve, Field

_CONTINUE = Continue()

SKIPPED = 10_000  # steps between two results: it is the option `interval` that is wrong then


class Median:
    """The median stopping rule: Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.

    A trial is stopped at a step if the best that it has reported by then is strictly worse than the median of the running
    averages of other trials up to that step. The running average of a trial up to step s is the mean of all that it reported
    in the steps up to s. Only trials that got to that step are compared with; of an even number the median is the mean of the
    two in the middle. No checkpoints are needed, and no trial is paused. The cost of a result is a binary search.

    grace_period: no trial is stopped before it has had this much training
    min_samples_required: no trial is stopped at a step that fewer others have got to
    compare_to: "completed": trials that are over, however they ended, as in the paper; "all": those that run, too
    interval: how much training a step is; a trial is judged at its first result in a step
    time_attr: what training is measured in: training_iteration, time_total_s, or a metric that grows

    Where this follows the paper and Ray Tune's MedianStoppingRule does not: running averages begin with a trial's first
    result, not after the grace period; compared is with completed trials, unless you choose otherwise; where these are too
    few, a trial trains on and is not paused; its last result counts once; once it has reported NaN its average is the worst,
    and is not left out; and the averages are rebuilt when a run is resumed.
    """

    def __init__(
        self,
        *,
        grace_period: float = 1,
        min_samples_required: int = 3,
        compare_to: Literal["completed", "all"] = "completed",
        interval: float = 1,
        time_attr: str = "training_iteration",
    ) -> None:
        if not grace_period > 0:
            raise OptionError(f"median: grace_period={grace_period} and must be above 0: a trial begins there")
        if min_samples_required < 1:
            raise OptionError(
                f"median: min_samples_required={min_samples_required} and must be at least 1: there is no median of nothing"
            )
        if compare_to not in ("completed", "all"):
            raise OptionError(f"median: compare_to={compare_to!r} and must be 'completed' or 'all'")
        if not 0 < interval < math.inf:
            raise OptionError(f"median: interval={interval} and must be positive: so much {time_attr} is one step")
        self._grace_period = grace_period
        self._needed = min_samples_required
        self._compare_to_all = compare_to == "all"
        self._interval = interval
        self._time_attr = time_attr
        self._field = Field()
        self._curves: dict[str, Curve] = {}  # of the trials that are not over
        self._decisions: dict[str, Stop] = {}  # of these, those whose last result was too bad

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single("median")

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts == 1:
            self._curves[trial.id] = Curve()

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        self._decisions.pop(trial.id, None)
        time = result.get(self._time_attr)
        if not isinstance(time, (int, float)) or not math.isfinite(time) or not self._objective.has(result):
            return
        curve = self._curves[trial.id]
        step, known = int(time // self._interval), len(curve.averages)
        if known and step - (curve.first + known) > SKIPPED:
            self._complain(trial, step - (curve.first + known))
        curve.add(step, self._objective.score(result))
        if len(curve.averages) == known:  # it has been judged in this step
            return
        others = self._field.count(step)
        if time >= self._grace_period and others >= self._needed and self._field.beats(curve.best, step):
            reason = f"its best is worse than the median of {others} trials at {self._time_attr} {time:g}"
            self._decisions[trial.id] = Stop(reason)
        if self._compare_to_all:
            self._field.add(zip(count(curve.first + known), curve.averages[known:]))

    @hookimpl
    def decide(self, trial: Trial) -> Decision:
        return self._decisions.get(trial.id, _CONTINUE)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._decisions.pop(trial.id, None)
        curve = self._curves.pop(trial.id)
        if not self._compare_to_all:
            self._field.add(zip(count(curve.first), curve.averages))

    def _complain(self, trial: Trial, skipped: int) -> None:
        raise OptionError(
            f"median: trial {trial.id} skipped {skipped} steps between two reports, since a step is interval="
            f"{self._interval:g}: set interval= to how much {self._time_attr} lies between two reports, or more"
        )
