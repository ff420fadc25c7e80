"""The scheduler: its options, and where each trial is."""

from __future__ import annotations

import math
from bisect import bisect_left, insort

from microtune import Continue, Decision, Facts, OptionError, Pause, Result, Resume, Stop, Trial, hookimpl
from microtune_schedule_hyperband.brackets import Bracket, Entry, plans

_CONTINUE = Continue()


class Member:
    """A trial that is not over."""

    __slots__ = ("bracket", "entry", "finished", "loss", "queue", "verdict")

    def __init__(self, bracket: Bracket) -> None:
        self.bracket = bracket
        self.loss: float | None = None  # at the rung of its round, once it is there
        self.finished = False  # it has had max_t
        self.queue: list[Entry] | None = None  # the one that it is paused in
        self.entry: Entry = (0, 0.0, 0, "")  # its place there
        self.verdict = ""  # why it is to be stopped


class HyperBand:
    """Synchronous HyperBand: Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 2018.

    Algorithm 1: trials are dealt to brackets in the order of their creation, the most aggressive bracket first, and round
    again. Those of a bracket train up to its first rung and pause there. When all that are not over have come, the best
    floor(n / reduction_factor) of them go on to the next rung and the others are stopped. For max_t=81 and
    reduction_factor=3 the brackets start 81, 34, 15, 8 and 5 trials, with 1, 3, 9, 27 and 81 as their first rungs.

    While a bracket waits for its last trials, free slots fill the next one. A bracket that will get no more trials goes on
    with those that it has. Trials go on from their last checkpoint, and start over where they write none.

    max_t: a trial is stopped once it has had this much training
    grace_period: no bracket judges before it; the smallest amount of training that says something
    reduction_factor: one in so many goes on from each rung
    brackets: how many kinds, the most aggressive ones; None: all; 1: successive halving
    time_attr: what training is measured in: training_iteration, time_total_s, or a metric that grows

    Where this follows the paper and Ray Tune's HyperBand does not: the most aggressive bracket is first; a bracket is full
    once so many trials have been dealt to it, over or not; floor(n / reduction_factor) go on and not the ceiling; brackets
    are counted in integers; NaN is the worst score; in no round is a trial waited for that is over; and a resumed run knows
    its brackets.
    """

    def __init__(
        self,
        *,
        max_t: int = 81,
        grace_period: int = 1,
        reduction_factor: int = 3,
        brackets: int | None = None,
        time_attr: str = "training_iteration",
    ) -> None:
        if grace_period < 1:
            raise OptionError(f"hyperband: grace_period={grace_period} and must be at least 1, the first iteration")
        if max_t < grace_period:
            raise OptionError(f"hyperband: max_t={max_t} is below grace_period={grace_period}: raise max_t")
        if reduction_factor < 2:
            raise OptionError(
                f"hyperband: reduction_factor={reduction_factor} and must be at least 2: 1 in so many goes on"
            )
        table = plans(max_t, grace_period, reduction_factor)
        if brackets is not None and not 1 <= brackets <= len(table):
            raise OptionError(
                f"hyperband: brackets={brackets} and must be 1 to {len(table)}, or None for all {len(table)}: with "
                f"max_t={max_t}, grace_period={grace_period} and reduction_factor={reduction_factor} there are no more"
            )
        self._max_t = max_t
        self._factor = reduction_factor
        self._time_attr = time_attr
        self._plans = table[:brackets]
        self._opened = 0
        self._open: Bracket | None = None  # the one that the latest trial was dealt to
        self._members: dict[str, Member] = {}
        self._resumable: list[Entry] = []  # paused, and to go on; the oldest bracket's best first
        self._losers: list[Entry] = []  # paused, and to be stopped
        self._finished = Stop(f"{time_attr} reached max_t={max_t}", finished=True)

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single("hyperband")

    @hookimpl
    def suggest(self, run: Facts) -> Resume | Stop | None:
        if self._losers:
            member = self._members[trial_id := self._losers[0][-1]]
            return Stop(member.verdict, trial_id, member.finished)
        if self._resumable:
            return Resume(self._resumable[0][-1])
        bracket = self._open
        if run.exhausted is not None and bracket is not None and bracket.waiting and not bracket.underway:
            return Resume(bracket.waiting[0][-1])  # its on_start ends the round
        return None

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts == 1:
            bracket = self._filling()
            bracket.places -= 1
            bracket.enter()
            self._members[trial.id] = Member(bracket)
            return
        member = self._members[trial.id]
        bracket = member.bracket
        if member.queue is bracket.waiting and not bracket.underway and trial.reason is None:  # see `suggest`
            self._judge(bracket)
        # What follows is for those that the kernel resumes where the scheduler was changed; it says so in `trial.reason`.
        if member.queue is bracket.waiting:
            bracket.underway += 1  # it will pause again
        elif member.queue is self._losers:
            bracket.enter()
            member.loss = None
        self._take(member)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        member = self._members[trial.id]
        time = result.get(self._time_attr)
        if not isinstance(time, (int, float)):
            return
        if time >= self._max_t:
            member.finished = True
        elif member.loss is None and time >= member.bracket.rung and self._objective.has(result):
            member.loss = -self._objective.score(result)

    @hookimpl
    def decide(self, trial: Trial) -> Decision:
        member = self._members[trial.id]
        if member.finished:
            return self._finished
        if member.loss is None:
            return _CONTINUE
        return Pause(f"at rung {member.bracket.rung} of bracket {member.bracket.number}")

    @hookimpl
    def on_pause(self, trial: Trial) -> None:
        member = self._members[trial.id]
        bracket = member.bracket
        if member.finished:  # max_t was larger then
            bracket.underway -= 1
            self._lose(member, (bracket.number, math.inf, trial.number, trial.id), self._finished.reason)
        elif member.loss is None:  # somebody else's pause, on the way
            self._put(member, self._resumable, (bracket.number, -math.inf, trial.number, trial.id))
        else:
            bracket.underway -= 1
            self._put(member, bracket.waiting, (bracket.number, member.loss, trial.number, trial.id))
        self._settle(bracket)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        member = self._members.pop(trial.id)
        bracket = member.bracket
        if member.queue is None or member.queue is self._resumable:
            bracket.underway -= 1
        self._take(member)
        if trial.attempt == 0:  # it broke a constraint: another one gets its place
            bracket.entered -= 1
            bracket.places += bracket is self._open
        self._settle(bracket)

    def _filling(self) -> Bracket:
        if self._open is None or not self._open.places:
            self._open = Bracket(self._opened, self._plans[self._opened % len(self._plans)])
            self._opened += 1
        return self._open

    def _settle(self, bracket: Bracket) -> None:
        if bracket.complete:
            self._judge(bracket)

    def _judge(self, bracket: Bracket) -> None:
        verdict = f"not among the best at rung {bracket.rung} of bracket {bracket.number}"
        best, rest = bracket.judge(self._factor)
        for entry in best:
            member = self._members[entry[-1]]
            member.loss = None
            self._put(member, self._resumable, entry)
        for entry in rest:
            self._lose(self._members[entry[-1]], entry, verdict)

    def _lose(self, member: Member, entry: Entry, verdict: str) -> None:
        member.verdict = verdict
        self._put(member, self._losers, entry)

    def _put(self, member: Member, queue: list[Entry], entry: Entry) -> None:
        insort(queue, entry)
        member.queue, member.entry = queue, entry

    def _take(self, member: Member) -> None:
        if member.queue is not None:
            del member.queue[bisect_left(member.queue, member.entry)]
            member.queue = None
