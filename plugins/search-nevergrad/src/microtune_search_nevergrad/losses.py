"""What a trial's end is worth to an optimiser that knows nothing but losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Before anything was measured: what nevergrad makes of infinity is five times as much, with a warning.
ABYSMAL = 1e20


class Losses:
    """Of a trial that failed, or was stopped early: never better than the worst one that finished."""

    def __init__(self, objectives: int) -> None:
        self._objectives = objectives
        self._worst: list[float] | None = None

    def finished(self, losses: Sequence[float] | None) -> list[float]:
        if losses is None or not all(map(math.isfinite, losses)):
            return self.failed()
        self._worst = list(map(max, losses, self._worst or losses))
        return list(losses)

    def stopped(self, losses: Sequence[float] | None) -> list[float]:
        """As bad as the worst that finished, if it looks better than that; as it is where nobody has finished."""
        if losses is None or not all(map(math.isfinite, losses)):
            return self.failed()
        return list(map(max, losses, self._worst or losses))

    def failed(self) -> list[float]:
        return list(self._worst or [ABYSMAL] * self._objectives)
