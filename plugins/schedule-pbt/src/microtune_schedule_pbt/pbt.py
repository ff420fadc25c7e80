"""The scheduler: its options, and what it does with each result."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, Literal

from microtune import (
    Continue,
    Decision,
    Done,
    Facts,
    OptionError,
    Pause,
    Result,
    Resume,
    RunError,
    Stop,
    Suggestion,
    Trial,
    Wait,
    hookimpl,
)
from microtune_schedule_pbt.explore import explored, perturb, tunable
from microtune_schedule_pbt.population import Member, Population, amount

_CONTINUE = Continue()
_FOR_ALL = Pause("until the population is complete")
_IN_TURN = Pause("to go on in turn with those who wait")
_AT_BARRIER = Pause("at the barrier")
_TO_COPY = Pause("to copy a better member")


class PBT:
    """Population based training: Jaderberg et al., "Population Based Training of Neural Networks", 2017.

    The trials train side by side. Each is ready after every perturbation_interval of training. It then exploits: if it is
    among the worst, it takes the checkpoint and the config of one of the best; and explores: that config is moved a little.
    Where there are fewer slots than members all pause when they are ready, and the one with the least training goes on first.
    The trials must write a checkpoint with each report that can make them ready; the initial configs are the searcher's.

    perturbation_interval: how much training, in units of time_attr, between two comparisons
    population_size: how many trials, num_samples if None; no others are started
    quantile_fraction: the share of the population that copies, and the share that is copied
    resample_probability: of a parameter being drawn anew instead of moved
    perturbation_factors: a number is multiplied by one of these; a choice of numbers moves up where it is above 1, else down
    mutations: names of the parameters that may change, all if None. Those that shape the network must not be among them:
        they are copied together with its weights
    explore: a function of the donor's config and a random.Random that returns the new config, in place of that
    exploit: "truncation", or "tournament": everyone who is ready meets one other member, drawn at random, and copies it if
        it is better
    synch: wait at each comparison until all members have had as much training, and compare these scores
    burn_in_period: nobody is ready before this much training
    max_t: a trial is stopped once it has had this much training; None: when it ends itself
    time_attr: what training is measured in: training_iteration, time_total_s, or a metric that grows

    A member is compared with the others' last scores, and until it is ready again with those that they had after as much
    training; where members wait for each other only with these. A score that is missing or no finite number is the worst, is
    replaced first and never copied. A trial that is over, however it ended, is no longer a member: it is neither waited for
    nor copied, since what it was given in weights has been trained to the end already, or made it fail.

    Where this follows the paper and Ray Tune's PBT does not: the initial population comes from any searcher; no copy is left
    out because its donor was saved too late or its checkpoint was deleted; a copy trains a whole interval before it is judged;
    values stay in their domains, integers always move, log domains move in log steps; a failed member does not hold up the
    others; randomness comes from the run's seed; and the population is rebuilt when a run is resumed.
    """

    _who = "pbt"

    def __init__(
        self,
        *,
        perturbation_interval: float = 5,
        population_size: int | None = None,
        quantile_fraction: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: tuple[float, ...] = (1.2, 0.8),
        mutations: list[str] | None = None,
        explore: Callable[[dict[str, Any], random.Random], dict[str, Any]] | None = None,
        exploit: Literal["truncation", "tournament"] = "truncation",
        synch: bool = False,
        burn_in_period: float = 0,
        max_t: float | None = None,
        time_attr: str = "training_iteration",
    ) -> None:
        self._check(perturbation_interval > 0, f"perturbation_interval={perturbation_interval} and must be above 0")
        self._check(
            population_size is None or population_size > 0, f"population_size={population_size} and must be positive"
        )
        self._check(
            0 < quantile_fraction <= 0.5, f"quantile_fraction={quantile_fraction} and must be above 0, at most 0.5"
        )
        self._check(0 <= resample_probability <= 1, f"resample_probability={resample_probability} and must be 0 to 1")
        usable = bool(perturbation_factors) and all(factor > 0 for factor in perturbation_factors)
        self._check(
            usable, f"perturbation_factors={perturbation_factors} and must be positive numbers, such as (1.2, 0.8)"
        )
        self._check(
            exploit in ("truncation", "tournament"), f"exploit={exploit!r} and must be 'truncation' or 'tournament'"
        )
        self._interval = perturbation_interval
        self._given_size = population_size
        self._quantile = quantile_fraction
        self._resample = resample_probability
        self._factors = perturbation_factors
        self._mutations = mutations
        self._custom = explore
        self._tournament = exploit == "tournament"
        self._synch = synch
        self._burn_in = burn_in_period
        self._max_t = max_t
        self._time_attr = time_attr
        self._finished = Stop(f"{time_attr} reached max_t={max_t}", finished=True)
        self._population = Population(perturbation_interval, synch)

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._objective = run.objective.single(self._who)
        self._names = tunable(run.space, self._mutations, self._who)
        most, size = run.limits.trials, self._given_size
        self._check(
            most is not None or size is not None,
            "the run has no num_samples, so nobody knows when the population is complete: give population_size=",
        )
        self._check(
            most is None or size is None or size <= most,
            f"population_size={size} is more than the {most} trials of the run: raise num_samples, or leave it out",
        )
        self._size: int = size or most or 0

    @hookimpl
    def suggest(self, run: Facts) -> Suggestion | None:
        population = self._population
        complete = population.started >= self._size
        if not complete and run.exhausted is None:
            return None
        member = population.first()
        if member is not None:
            return self._resumed(run, member)
        if complete and population.waits:
            return Wait("the paused members wait at the barrier for the others")
        return Done(f"the population of {self._size} has been started") if complete and self._given_size else None

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        own_clock = self._time_attr == "time_total_s"
        if trial.starts > 1:
            self._population.go_on(self._population.members[trial.id], trial, own_clock)
            return
        time = trial.iteration if self._time_attr == "training_iteration" else 0
        self._population.join(trial, time, max(time + self._interval, self._burn_in))

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        score = self._objective.score(result) if self._objective.has(result) else None
        time = amount(result.get(self._time_attr))
        self._population.report(self._population.members[trial.id], result, time, score)

    @hookimpl
    def decide(self, run: Facts, trial: Trial, result: Result) -> Decision:
        population = self._population
        member = population.members[trial.id]
        if self._max_t is not None and member.time >= self._max_t:
            return self._finished
        if not member.ready and member.time >= member.due and trial.checkpoint is None:
            raise RunError(_without_checkpoint(self._who, trial, self._time_attr, member.time))
        complete = population.started >= self._size
        if member.ready:
            if not complete:
                return _FOR_ALL
            if self._synch:
                return _AT_BARRIER if len(population.members) > 1 else _CONTINUE
            if population.behind(member):
                return _IN_TURN
        elif self._synch or self._tournament or population.crowded or not complete or result.checkpoint is None:
            return _CONTINUE
        if not self._donors(run, member):
            return _CONTINUE
        return _IN_TURN if population.crowded else _TO_COPY

    @hookimpl
    def on_pause(self, trial: Trial) -> None:
        self._population.wait(self._population.members[trial.id], copies=trial.reason == _TO_COPY.reason)

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._population.leave(trial)

    def _donors(self, run: Facts, member: Member) -> list[Member]:
        """Whom it copies one of; nobody where it goes on as it is."""
        if self._tournament:
            found = self._population.opponent(member, run.rng("opponent", member.id, member.generation))
        else:
            found = self._population.better(member, self._quantile)
        donors = [self._population.members[trial_id] for trial_id in found if trial_id in self._population.members]
        return [donor for donor in donors if donor.saved is not None]

    def _resumed(self, run: Facts, member: Member) -> Resume:
        donors = self._donors(run, member)
        if not donors:
            return Resume(member.id)
        rng = run.rng("explore", member.id, member.starts)
        donor = rng.choice(donors)
        assert donor.saved is not None
        return Resume(member.id, config=self._explored(run, donor, rng), checkpoint=donor.saved.path)

    def _explored(self, run: Facts, donor: Member, rng: random.Random) -> dict[str, Any]:
        if self._custom is not None:
            return self._custom(copy.deepcopy(donor.config), rng)

        def change(values: dict[str, Any]) -> None:
            perturb(run.space, self._names, values, rng, self._factors, self._resample)

        return explored(run.space, donor.config, rng, change)

    def _check(self, fine: bool, message: str) -> None:
        if not fine:
            raise OptionError(f"{self._who}: {message}")


def _without_checkpoint(who: str, trial: Trial, time_attr: str, time: float) -> str:
    return (
        f"trial {trial.id} has had {time_attr}={time:g}, is to be compared with the others, and has written no checkpoint: "
        f"{who} copies the weights of the better members, so every report needs one. In a function: report(..., "
        "checkpoint=folder) with the folder of checkpoint_dir(), and restore from get_checkpoint(); with a Trainable class: "
        "define save_checkpoint and load_checkpoint and give Tuner checkpoints={'every': 1}. Without checkpoints, asha works"
    )
