"""PB2: population based training whose next config is chosen by a bandit that learns what improved scores."""

from __future__ import annotations

import math
import random
from collections import deque
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

from microtune import Choice, Facts, Float, Grid, Integer, Normal, Result, Trial, hookimpl
from microtune_schedule_pbt.explore import explored
from microtune_schedule_pbt.pbt import PBT
from microtune_schedule_pbt.population import Member

try:
    from microtune_schedule_pbt.bandit import GaussianProcess, Rows, boldest, drawn
except ImportError as error:
    raise ImportError(f"pb2 needs numpy ({error}): pip install microtune-schedule-pbt[pb2]") from error

ENOUGH = 3  # rows; before that it explores as PBT does


class Row(NamedTuple):
    """What an interval of training gained, in score for each unit of time, with which config, from which score."""

    time: float
    score: float
    config: dict[str, Any]
    gain: float


class PB2(PBT):
    """Population Based Bandits: Parker-Holder et al., "Provably Efficient Online Hyperparameter Optimization with
    Population-Based Bandits", NeurIPS 2020; for parameters without an order PB2-Mix (Parker-Holder et al., 2021).

    As pbt, but a copied config is not moved at random: its numbers are those from which a time-varying Gaussian process,
    fitted to what each interval of training gained, expects the most (upper confidence bound; what the others are at work on
    counts as measured); what has no order is drawn by a time-varying EXP3. It needs numpy.

    perturbation_interval: how much training, in units of time_attr, between two comparisons
    population_size: how many trials, num_samples if None; no others are started
    quantile_fraction: the share of the population that copies, and the share that is copied
    mutations: names of the parameters that may change, all if None. Those that shape the network must not be among them:
        they are copied together with its weights
    window: how many of the last intervals of training the bandit learns from
    exploit: "truncation" or "tournament", as for pbt
    synch: wait at each comparison until all members have had as much training, and compare these scores
    burn_in_period: nobody is ready before this much training
    max_t: a trial is stopped once it has had this much training; None: when it ends itself
    time_attr: what training is measured in: training_iteration, time_total_s, or a metric that grows

    Where this follows the papers and Ray Tune's PB2 does not: choices, branches and integers beside continuous parameters;
    logarithmic domains in their logarithm; the bound is made with the standard deviation, not with the variance; randomness
    from the run's seed; and the data are rebuilt when a run is resumed.
    """

    _who = "pb2"

    def __init__(
        self,
        *,
        perturbation_interval: float = 5,
        population_size: int | None = None,
        quantile_fraction: float = 0.25,
        mutations: list[str] | None = None,
        window: int = 100,
        exploit: Literal["truncation", "tournament"] = "truncation",
        synch: bool = False,
        burn_in_period: float = 0,
        max_t: float | None = None,
        time_attr: str = "training_iteration",
    ) -> None:
        super().__init__(
            perturbation_interval=perturbation_interval, population_size=population_size, quantile_fraction=quantile_fraction,
            mutations=mutations, exploit=exploit, synch=synch, burn_in_period=burn_in_period, max_t=max_t, time_attr=time_attr,
        )  # fmt: skip
        self._check(window >= ENOUGH, f"window={window} and must be at least {ENOUGH}")
        self._rows: deque[Row] = deque(maxlen=window)
        self._since: dict[str, tuple[float, float]] = {}  # time and score from which a member's config has been at work

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        member = self._population.members.get(trial.id)
        before = None if member is None else member.saved
        super().on_start(trial)
        if member is not None and member.saved is not None and member.saved is not before:  # it was given another's
            self._since[trial.id] = (member.time, member.saved.score)

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        super().on_result(run, trial, result)
        member = self._population.members[trial.id]
        if not math.isfinite(member.score):
            self._since.pop(trial.id, None)
            return
        time, score = self._since.setdefault(trial.id, (member.time, member.score))
        if member.ready:
            if member.time > time and math.isfinite(score):
                self._rows.append(Row(time, score, trial.config, (member.score - score) / (member.time - time)))
            self._since[trial.id] = (member.time, member.score)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        super().on_end(trial)
        self._since.pop(trial.id, None)

    def _explored(self, run: Facts, donor: Member, rng: random.Random) -> dict[str, Any]:
        if len(self._rows) < ENOUGH:
            return super()._explored(run, donor, rng)
        bandit = Bandit(run, self._names, list(self._rows), self._interval)
        pending = [(member.time, member.score, member.config) for member in self._population.members.values()]

        def change(values: dict[str, Any]) -> None:
            bandit.choose(values, donor.time, donor.score, pending, rng)

        return explored(run.space, donor.config, rng, change)


class Bandit:
    """The rows as the model sees them: the score before, each ordered parameter as a number in [0, 1], the others by index."""

    def __init__(self, run: Facts, names: frozenset[str], rows: list[Row], interval: float) -> None:
        self._space, self._interval = run.space, interval
        parameters = [parameter for parameter in run.space.parameters() if parameter.name in names]
        self._numbers = {each.name: each.domain for each in parameters if ordered(each.domain)}
        self._categories = {each.name: options(each.domain) for each in parameters if not ordered(each.domain)}
        scores = [row.score for row in rows]
        self._low, self._span = min(scores), (max(scores) - min(scores)) or 1.0
        gains = [row.gain for row in rows]
        low, span = min(gains), (max(gains) - min(gains)) or 1.0
        self._shares = [(gain - low) / span for gain in gains]
        self._seen = [self._space.flatten(row.config) for row in rows]
        points = [(row.time, row.score, row.config) for row in rows]
        self._process = GaussianProcess(self._rows(points), gains)

    def choose(self, values: dict[str, Any], time: float, score: float, pending: list[Any], rng: random.Random) -> None:
        """Put the next value of each parameter into `values`, which holds the donor's."""
        chosen: dict[str, int] = {}
        for name, known in self._categories.items():
            played = [
                (known.index(seen[name]), gain)
                for seen, gain in zip(self._seen, self._shares, strict=True)
                if name in seen
            ]
            chosen[name] = drawn(played, len(known), rng)
            if name in values:
                values[name] = known[chosen[name]]
        if not self._numbers:
            return
        start = [self._unit(name, values) for name in self._numbers]
        at_work = self._rows([each for each in pending if math.isfinite(each[1])])
        context = [(score - self._low) / self._span]
        found = boldest(self._process, at_work, time / self._interval, context, list(chosen.values()), start, rng)
        for (name, domain), share in zip(self._numbers.items(), found, strict=True):
            values[name] = from_unit(domain, share)

    def _rows(self, points: list[tuple[float, float, dict[str, Any]]]) -> Rows:
        flat = [self._space.flatten(config) for _, _, config in points]
        numbers = [
            [(score - self._low) / self._span, *(self._unit(name, values) for name in self._numbers)]
            for (_, score, _), values in zip(points, flat, strict=True)
        ]
        # Of a branch that was not taken: -1, a category of its own.
        categories = [
            [known.index(v[name]) if name in v else -1 for name, known in self._categories.items()] for v in flat
        ]
        times = [time / self._interval for time, _, _ in points]
        return Rows(times, numbers, categories)

    def _unit(self, name: str, values: dict[str, Any]) -> float:
        return to_unit(self._numbers[name], values[name]) if name in values else 0.5


def options(domain: Any) -> list[Any]:
    if isinstance(domain, Grid):
        return list(domain.values)
    return list(range(len(domain.categories))) if domain.conditional else list(domain.categories)


def ordered(domain: Any) -> bool:
    if isinstance(domain, (Choice, Grid)):
        return not getattr(domain, "conditional", False) and all(type(each) in (int, float) for each in options(domain))
    return isinstance(domain, (Float, Integer, Normal))


def to_unit(domain: Any, value: Any) -> float:
    """Where in its domain a number lies, from 0 to 1."""
    if isinstance(domain, Normal):
        return NormalDist(domain.mean, domain.sd).cdf(value)
    if isinstance(domain, (Choice, Grid)):
        known = sorted(set(options(domain)))
        return known.index(value) / max(1, len(known) - 1)
    low, high = domain.lower, domain.upper
    if domain.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else 0.5


def from_unit(domain: Any, share: float) -> Any:
    if isinstance(domain, Normal):
        return domain.project(NormalDist(domain.mean, domain.sd).inv_cdf(min(max(share, 1e-6), 1 - 1e-6)))
    if isinstance(domain, (Choice, Grid)):
        known = sorted(set(options(domain)))
        return known[round(share * (len(known) - 1))]
    if domain.log:
        return domain.project(math.exp(math.log(domain.lower) + share * math.log(domain.upper / domain.lower)))
    return domain.project(domain.lower + share * (domain.upper - domain.lower))
