"""The members of a population by score, and who may be copied by whom."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, insort

# (score, - number of the trial, trial id): of two equal scores the earlier trial's is the better
Entry = tuple[float, int, str]


class Ranking:
    """One score for each member, the worst first. A score is bigger where it is better; -inf is no number at all."""

    def __init__(self) -> None:
        self._sorted: list[Entry] = []
        self._of: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._sorted)

    def put(self, trial_id: str, number: int, score: float) -> None:
        """In place of the score that it had."""
        self.drop(trial_id)
        entry = self._of[trial_id] = (score, -number, trial_id)
        insort(self._sorted, entry)

    def drop(self, trial_id: str) -> None:
        entry = self._of.pop(trial_id, None)
        if entry is not None:
            del self._sorted[bisect_left(self._sorted, entry)]

    def truncation(self, trial_id: str, quantile: float) -> list[str]:
        """Whom it copies one of: the top quantile, if it is in the bottom one itself (Jaderberg et al. 2017, section 4.1.1).

        Both have ceil(n * quantile) of the n members, and at most half of them. Nobody is copied who has no number; who has
        none itself copies wherever it stands.
        """
        mine = self._of.get(trial_id)
        if mine is None:
            return []
        share = _share(len(self), quantile)
        if mine[0] > -math.inf and bisect_left(self._sorted, mine) >= share:
            return []
        return self._top(share)

    def settled(self, trial_id: str, quantile: float, size: int) -> list[str]:
        """The same, where not all of `size` members are here yet: as soon as it is in the bottom whatever the others have."""
        mine = self._of.get(trial_id)
        if mine is None:
            return []
        size = max(size, len(self))
        share = _share(size, quantile)
        ahead = len(self) - 1 - bisect_left(self._sorted, mine)
        return self._top(share) if ahead >= size - share else []

    def _top(self, share: int) -> list[str]:
        return [other for score, _, other in self._sorted[len(self) - share :] if score > -math.inf]

    def tournament(self, trial_id: str, rng: random.Random) -> list[str]:
        """Its opponent, drawn from the others, if that one is better: binary tournament (the same section)."""
        mine = self._of.get(trial_id)
        if mine is None or len(self) == 1:
            return []
        place, opponent = bisect_left(self._sorted, mine), rng.randrange(len(self) - 1)
        score, _, other = self._sorted[opponent + (opponent >= place)]
        return [other] if score > mine[0] else []


def _share(size: int, quantile: float) -> int:
    return min(math.ceil(size * quantile - 1e-9), size // 2)  # 10 * 0.2 must not be 3 by a rounding error
