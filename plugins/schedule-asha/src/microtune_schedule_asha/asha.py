"""The scheduler: its options, and what it does with each result."""

from __future__ import annotations

from typing import Literal

from microtune import Continue, Decision, Facts, OptionError, Pause, Result, Resume, Stop, Trial, hookimpl
from microtune_schedule_asha.rungs import Rung, Waiting, bracket_weights, levels

_CONTINUE = Continue()


class Standing:
    """How far up its bracket a trial is."""

    __slots__ = ("decision", "entry", "loss", "next", "rungs")

    def __init__(self, rungs: list[Rung]) -> None:
        self.rungs = rungs
        self.next = 0  # index of the lowest rung at which it has not been judged
        self.loss = 0.0  # at the rung below
        self.entry: Waiting | None = None  # its place among those that wait there
        self.decision: Decision = _CONTINUE  # what its last result calls for


class ASHA:
    """Asynchronous successive halving: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.

    A rung is an amount of training: grace_period * reduction_factor**k, up to max_t. A trial that gets to a rung is judged
    there against all that got there before it.

    type="promotion" is Algorithm 2 of the paper: the trial pauses. Whenever there is room, the best paused trial that is
    among the best floor(n / reduction_factor) of its rung goes on to the next one, the highest rung first; where there is
    none, a new trial starts. Trials go on from their last checkpoint, and start over where they write none.

    type="stopping" pauses nobody: the trial goes on if it is among the best max(1, floor(n / reduction_factor)) of its rung,
    itself included, and is stopped otherwise. So the first one to arrive goes on, and equals are treated alike.

    max_t: a trial is stopped once it has had this much training
    grace_period: the lowest rung; no trial is judged before it
    reduction_factor: one in so many goes on from each rung
    brackets: how many; bracket s leaves out the lowest s rungs, and a trial's bracket is drawn with HyperBand's numbers of
        trials as weights, which give each the same budget
    type: "stopping" or "promotion"
    time_attr: what training is measured in: training_iteration, time_total_s, or a metric that grows

    Where this follows the paper and Ray Tune's ASHA does not: promotion exists; rungs are exact (max_t=1000 with factor 10
    has the rung 1000); a trial is compared with itself included, by rank and not by an interpolated percentile; NaN is the
    worst score and not an immunity; a trial that jumps over rungs is judged at the lowest one it has not been judged at, not
    at the highest; a result at max_t counts in its rung; brackets are weighted by HyperBand's budget and drawn from the run's
    seed; and the rungs are rebuilt when a run is resumed.
    """

    def __init__(
        self,
        *,
        max_t: int = 100,
        grace_period: int = 1,
        reduction_factor: int = 4,
        brackets: int = 1,
        type: Literal["stopping", "promotion"] = "stopping",
        time_attr: str = "training_iteration",
    ) -> None:
        if grace_period < 1:
            raise OptionError(f"asha: grace_period={grace_period} and must be at least 1, the first iteration")
        if max_t < grace_period:
            raise OptionError(f"asha: max_t={max_t} is below grace_period={grace_period}: raise max_t, or no trial is judged")
        if reduction_factor < 2:
            raise OptionError(f"asha: reduction_factor={reduction_factor} and must be at least 2: one in so many goes on")
        table = levels(grace_period, max_t, reduction_factor)
        if not 1 <= brackets <= len(table):
            raise OptionError(
                f"asha: brackets={brackets} and must be 1 to {len(table)}: each leaves out one more of the rungs {table}"
            )
        if type not in ("stopping", "promotion"):
            raise OptionError(f"asha: type={type!r} and must be 'stopping' or 'promotion'")
        self._max_t = max_t
        self._promotes = type == "promotion"
        self._time_attr = time_attr
        self._brackets = [[Rung(level, reduction_factor) for level in table[s:]] for s in range(brackets)]
        self._weights = bracket_weights(len(table), brackets, reduction_factor)
        self._from_the_top = sorted((rung for bracket in self._brackets for rung in bracket), key=lambda rung: -rung.level)
        self._standings: dict[str, Standing] = {}  # of the trials that are not over
        self._finished = Stop(f"{time_attr} reached max_t={max_t}", finished=True)

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single("asha")

    @hookimpl
    def suggest(self) -> Resume | None:
        if not self._promotes:  # then nobody waits anywhere
            return None
        for rung in self._from_the_top:
            trial_id = rung.promotable()
            if trial_id is not None:
                return Resume(trial_id)
        return None

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        if trial.starts == 1:
            self._standings[trial.id] = Standing(self._brackets[self._bracket(run, trial)])
        else:
            self._release(self._standings[trial.id])

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        standing = self._standings[trial.id]
        standing.decision = _CONTINUE
        time = result.get(self._time_attr)
        if not isinstance(time, (int, float)):
            return
        if standing.next < len(standing.rungs):
            rung = standing.rungs[standing.next]
            if time >= rung.level and self._objective.has(result):
                self._judge(trial, standing, rung, -self._objective.score(result))
        if time >= self._max_t:
            standing.decision = self._finished

    @hookimpl
    def decide(self, trial: Trial) -> Decision:
        return self._standings[trial.id].decision

    @hookimpl
    def on_pause(self, trial: Trial) -> None:
        standing = self._standings[trial.id]
        if isinstance(standing.decision, Pause):  # not somebody else's
            standing.entry = standing.rungs[standing.next - 1].admit(standing.loss, trial.id)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._release(self._standings.pop(trial.id))

    def _bracket(self, run: Facts, trial: Trial) -> int:
        if len(self._brackets) == 1:
            return 0
        return run.rng("bracket", trial.number).choices(range(len(self._brackets)), self._weights)[0]

    def _judge(self, trial: Trial, standing: Standing, rung: Rung, loss: float) -> None:
        rung.record(loss)
        standing.next += 1
        if self._promotes:
            standing.loss = loss
            standing.decision = rung.pause
        elif not rung.among_the_best(loss):
            standing.decision = rung.stop

    def _release(self, standing: Standing) -> None:
        if standing.entry is not None:
            standing.rungs[standing.next - 1].release(standing.entry)
            standing.entry = None
