"""When an attempt has taken too long, and for what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from microtune import Limits
from microtune_execute_ray.handle import Attempt


class Deadlines:
    def __init__(self, limits: Limits) -> None:
        self._trial = math.inf if limits.trial is None else limits.trial
        self._report = math.inf if limits.report is None else limits.report
        self.grace = limits.grace
        self.any = limits.trial is not None or limits.report is not None  # if not, only trials told to leave have one

    def next(self, attempts: Iterable[Attempt]) -> float:
        return min((self._of(attempt) for attempt in attempts), default=math.inf)

    def missed(self, attempts: Iterable[Attempt], now: float) -> Iterator[tuple[Attempt, str]]:
        for attempt in attempts:
            if self._of(attempt) <= now:
                yield attempt, self._complaint(attempt, now)

    def _of(self, attempt: Attempt) -> float:
        if attempt.handle is None or attempt.overdue is not None:
            return math.inf  # it has not begun, or is being killed already
        if attempt.leave_by is not None:
            return attempt.leave_by
        # A trial that waits for a decision is not the one that is late.
        return min(attempt.began + self._trial, math.inf if attempt.asks else attempt.heard + self._report)

    def _complaint(self, attempt: Attempt, now: float) -> str:
        if attempt.leave_by is not None:
            return f"was told to leave and had not left {self.grace:g} s later"
        if attempt.began + self._trial <= now:
            return f"took longer than {self._trial:g} s (trial_timeout_s)"
        return f"reported nothing for {self._report:g} s (report_timeout_s)"
