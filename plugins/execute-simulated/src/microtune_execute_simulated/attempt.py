"""One launch of a trial in the simulation."""

from __future__ import annotations

import math
from typing import Any

from microtune import Failure, Trial
from microtune_execute_simulated.strikes import Strikes


class Attempt:
    """One launch of a trial. Times are virtual."""

    __slots__ = (
        "answer", "began", "begun", "clock", "dropped", "due", "heard", "leave_by", "left", "lost", "repeats", "runner",
        "slowness", "start", "strikes", "ticket", "trial", "waits", "word",
    )  # fmt: skip

    def __init__(self, trial: Trial, runner: Any) -> None:
        self.trial = trial
        self.runner = runner
        self.strikes: Strikes | None = None
        self.slowness = 1.0
        self.began = 0.0
        self.heard = 0.0  # its last sign of life
        self.clock = 0.0  # from when on its next step counts
        self.repeats = -1  # up to this iteration its steps take no time
        self.start = 0  # a Curve's step
        self.begun = False
        self.word: Any = None  # what it says next: a report or an Outcome
        self.due = 0.0  # when
        self.lost: Failure | None = None  # how it fails before that
        self.ticket = -1  # of its place in the queue; an older one is void
        self.waits = False  # for the answer to its report
        self.answer: str | None = None  # it was told to leave
        self.leave_by = math.inf
        self.left = False  # it has heard so
        self.dropped = False  # whatever it still says is lost
