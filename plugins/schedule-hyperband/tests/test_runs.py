"""Whole runs, on an executor that does whatever an executor may, read back by a model that knows only the journal."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microtune as mt
from microtune import (
    Batch,
    Continue,
    Done,
    Event,
    Exited,
    Failure,
    Reported,
    ResultGrid,
    Space,
    Start,
    Stop,
    StopRun,
    Tuner,
    Wait,
    hookimpl,
    uniform,
)
from microtune.testing import FakeExecutor, FakeLogger, FakeSearcher
from microtune_schedule_hyperband import HyperBand

MAX_T, FACTOR = 9, 3
BRACKETS = [(9, (1, 3, 9)), (5, (3, 9)), (3, (9,))]  # Algorithm 1 for max_t=9 and factor 3
LOSSES = [0.1, 0.2, 0.2, 0.3, 0.5, 1e300, math.nan, math.inf]


class Whims:
    """An executor whose trials report, jump, end, fail and get lost in any order."""

    def __init__(self, seed: int, slots: int, trouble: float) -> None:
        self.rng = random.Random(seed)
        self.slots = slots
        self.trouble = trouble
        self.now = 0.0
        self.jobs: dict[str, list[Any]] = {}  # trial id -> [trial, iteration, whether it was told to leave]

    @hookimpl
    def launch(self, trial: Any) -> None:
        self.jobs[trial.id] = [trial, trial.iteration, False]

    @hookimpl
    def steer(self, trial: Any, decision: Any) -> None:
        if trial.id in self.jobs and not isinstance(decision, Continue):
            self.jobs[trial.id][2] = True

    @hookimpl
    def wait(self, run: Any, until: float) -> Batch:
        self.now = max(self.now, run.now) + 1
        reports: list[Reported | Exited] = []
        some = min(len(self.jobs), self.rng.choice([1, 1, 2, 3])) if until > run.now else 0
        for trial_id in self.rng.sample(sorted(self.jobs), some):
            reports += self._word(trial_id)
        return Batch(self.now, reports, self.slots, {"cpu": float(self.slots)})

    def _word(self, trial_id: str) -> list[Reported | Exited]:
        trial, iteration, leaves = self.jobs[trial_id]
        accident = self.rng.random() < self.trouble
        if leaves or accident:
            kind = self.rng.choice([None, "error", "lost", "timeout"]) if accident else None
            del self.jobs[trial_id]
            failure = None if kind is None else Failure(kind, "on a whim")
            # One that ends without ever having measured the objective would end the run.
            last = [self._report(trial, iteration)] if accident and (iteration == 0 or self.rng.random() < 0.5) else []
            return [*last, Exited(trial_id, trial.attempt, self.now, failure)]
        report = self._report(trial, iteration)
        self.jobs[trial_id][1] = report.iteration
        return [report]

    def _report(self, trial: Any, before: int) -> Reported:
        iteration = before + self.rng.choice([1, 1, 1, 1, 2, 5])
        metrics = {"loss": self.rng.choice(LOSSES)} if before == 0 or self.rng.random() < 0.9 else {"accuracy": 1.0}
        return Reported(trial.id, trial.attempt, self.now, metrics, iteration)


class Moods:
    """A searcher that may run dry, and then may not be, and that may wait while so many trials are not over."""

    def __init__(self, limit: int | None, sulks: bool) -> None:
        self.limit, self.sulks = limit, sulks
        self.live: set[str] = set()
        self.told = 0

    @hookimpl
    def suggest(self, run: Any, rng: random.Random) -> Any:
        if self.limit is not None and len(self.live) >= self.limit:
            return Wait("too many trials that are not over")
        if self.sulks and self.live and self.told % 3 == 0:
            return Done("for now")
        return Start(run.space.sample(rng))

    @hookimpl
    def on_start(self, trial: Any) -> None:
        self.live.add(trial.id)
        self.told += 1

    @hookimpl
    def on_result(self) -> None:
        self.told += 1

    @hookimpl
    def on_end(self, trial: Any) -> None:
        self.live.discard(trial.id)
        self.told += 1


class Rules:
    """A stop rule that is faster now and then, and may end the run at some result."""

    def __init__(self, often: float, ends_at: int | None) -> None:
        self.often, self.left = often, ends_at

    @hookimpl
    def on_result(self) -> None:
        self.left = self.left and self.left - 1

    @hookimpl
    def decide(self, run: Any, trial: Any) -> Stop | StopRun | None:
        if self.left == 0:
            return StopRun("a rule ended the run")
        if run.rng("rule", trial.number, trial.iteration).random() < self.often:
            return Stop("a rule stopped the trial")
        return None


class Latecomer(FakeLogger):
    """A logger that an earlier session did not have, so that it hears the whole journal."""


class Model:
    """HyperBand as a table: who entered each round of each bracket, who paused there with which loss, who went on.

    Checks at every promotion that everybody else of the round is there or over, and that a bracket with free places is gone on
    with only once there are `enough` trials; `verdicts` checks what came of it.
    """

    def __init__(self, events: list[Event], enough: int) -> None:
        self.enough = enough
        self.rounds: dict[tuple[int, int], Any] = defaultdict(lambda: {"entered": [], "came": {}, "went_on": []})
        self.at: dict[str, tuple[int, int]] = {}  # trial -> (bracket, round)
        self.loss: dict[str, float] = {}  # at the rung of its round
        self.paused: set[str] = set()
        self.ended: dict[str, str] = {}
        self.bracket, self.closed = -1, True
        infeasible = {event.trial for event in events if event.kind == "ended" and event.body["reason"] == "infeasible"}
        for event in events:
            if event.trial is not None and event.trial not in infeasible and hasattr(self, f"_{event.kind}"):
                getattr(self, f"_{event.kind}")(event.trial, event.body)

    def rung(self, trial: str) -> int:
        bracket, round_ = self.at[trial]
        return BRACKETS[bracket % 3][1][round_]

    def _created(self, trial: str, body: Any) -> None:
        if self.closed:
            self.bracket, self.closed = self.bracket + 1, False
        self.at[trial] = (self.bracket, 0)
        entered = self.rounds[self.bracket, 0]["entered"]
        entered.append(trial)
        self.closed = len(entered) == BRACKETS[self.bracket % 3][0]

    def _result(self, trial: str, body: Any) -> None:
        if trial not in self.loss and not body.get("repeat") and body["iteration"] >= self.rung(trial):
            if "loss" in body["metrics"]:
                loss = body["metrics"]["loss"]
                self.loss[trial] = loss if math.isfinite(loss) else math.inf

    def _decided(self, trial: str, body: Any) -> None:
        if body["decision"] == "pause":
            self.paused.add(trial)
            self.rounds[self.at[trial]]["came"][trial] = self.loss[trial]

    def _resumed(self, trial: str, body: Any) -> None:
        bracket, round_ = self.at[trial]
        here = self.rounds[bracket, round_]
        late = [other for other in here["entered"] if other not in here["came"] and other not in self.ended]
        assert not late, f"{trial} goes on before {late} have come"
        if bracket == self.bracket and not self.closed:
            assert len(self.at) >= self.enough, f"{trial} goes on while there are more trials to come"
            self.closed = True
        here["went_on"].append(trial)
        self.paused.discard(trial)
        self.loss.pop(trial)
        last = len(BRACKETS[bracket % 3][1]) - 1
        self.at[trial] = (bracket, round_ + 1 if self.quota(here) > 1 else last)
        self.rounds[self.at[trial]]["entered"].append(trial)

    def _ended(self, trial: str, body: Any) -> None:
        self.ended[trial] = body["reason"]
        self.paused.discard(trial)

    @staticmethod
    def quota(here: dict[str, Any]) -> int:
        return min(max(1, len(here["entered"]) // FACTOR), len(here["came"]))

    def verdicts(self) -> None:
        for (bracket, round_), here in self.rounds.items():
            assert len(here["went_on"]) == self.quota(here), (bracket, round_)
            ranked = sorted(here["came"], key=lambda trial: (here["came"][trial], int(trial)))
            assert sorted(here["went_on"]) == sorted(ranked[: len(here["went_on"])])
            for loser in ranked[len(here["went_on"]) :]:
                assert self.ended[loser].startswith("not among the best at rung"), loser


class Whim(NamedTuple):
    """What a run is like."""

    seed: int
    slots: int
    trouble: float  # how often an attempt ends at its next word, in whatever way
    often: float  # how often a stop rule is faster
    num_samples: int
    sulks: bool
    limit: int | None
    max_failures: int
    max_concurrent_trials: int | None

    def plugins(self, logger: FakeLogger, session: int = 0, ends_at: int | None = None) -> dict[str, Any]:
        return {
            "executor": Whims(self.seed + session, self.slots, self.trouble), "searcher": Moods(self.limit, self.sulks),
            "scheduler": HyperBand(max_t=MAX_T, reduction_factor=FACTOR), "stop": Rules(self.often, ends_at),
            "loggers": [logger],
        }  # fmt: skip

    def open(self, logger: FakeLogger, ends_at: int | None = None, **more: Any) -> Any:
        space = Space({"x": uniform(0, 1)}, constraints=[lambda config: config["x"] < 0.9])
        return Tuner(
            lambda config: None, param_space=space, metric="loss", mode="min", seed=self.seed, num_samples=self.num_samples,
            max_failures=self.max_failures, max_concurrent_trials=self.max_concurrent_trials, **more,
            **self.plugins(logger, ends_at=ends_at),
        ).open()  # fmt: skip

    def check(self, events: list[Event]) -> Model:
        model = Model(events, 0 if self.limit or self.sulks else self.num_samples)
        model.verdicts()
        return model


WHIMS = st.builds(
    Whim,
    seed=st.integers(0, 2**32),
    slots=st.sampled_from([1, 2, 4, 10]),
    trouble=st.sampled_from([0.0, 0.02, 0.2]),
    often=st.sampled_from([0.0, 0.05, 0.3]),
    num_samples=st.integers(1, 40),
    sulks=st.booleans(),
    limit=st.sampled_from([None, None, 1, 4]),
    max_failures=st.sampled_from([0, 2, -1]),
    max_concurrent_trials=st.sampled_from([None, 1, 3]),
)


def over(run: Any, turns: int = 20_000) -> bool:
    """Whether the run comes to its end in so many turns."""
    return any(not run.step() for _ in range(turns))


@pytest.mark.parametrize("workers", [1, 10])
def test_one_round_of_brackets_trains_as_many_trials_so_far_as_the_papers_table_says(workers):
    def train(config):
        for _ in range(100):
            mt.report(loss=config["x"])

    results = Tuner(
        train, param_space={"x": uniform(0, 1)}, metric="loss", mode="min", num_samples=143, scheduler="hyperband:max_t=81",
        searcher=FakeSearcher(), executor=FakeExecutor(workers=workers), loggers=(), storage_path=":memory:", seed=1,
    ).fit()  # fmt: skip
    trained = Counter(trial.metrics["training_iteration"] for trial in results)
    # 81 27 9 3 1, 34 11 3 1, 15 5 1, 8 2 and 5 trials, read along the rungs
    assert trained == {
        1: 81 - 27,
        3: 27 - 9 + 34 - 11,
        9: 9 - 3 + 11 - 3 + 15 - 5,
        27: 3 - 1 + 3 - 1 + 5 - 1 + 8 - 2,
        81: 10,
    }
    assert {trial.state for trial in results} == {"STOPPED"}


@settings(max_examples=120, deadline=None, database=None)
@given(WHIMS)
def test_every_run_ends_with_nobody_left_and_only_the_best_of_each_round_promoted(whim):
    logger = FakeLogger()
    run = whim.open(logger, storage_path=":memory:")
    try:
        assert over(run)
    finally:
        run.close()
    assert run.counts["PAUSED"] == run.counts["PENDING"] == run.counts["RUNNING"] == 0
    model = whim.check(logger.events)
    assert len(model.at) == len(model.ended) == whim.num_samples


@settings(max_examples=60, deadline=None, database=None)
@given(whim=WHIMS, killed_after=st.integers(0, 150), ends_at=st.sampled_from([None, 5, 40]), more=st.integers(0, 20))
def test_so_does_a_run_that_is_killed_or_interrupted_or_extended(whim, killed_after, ends_at, more):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run")
        run = whim.open(FakeLogger(), ends_at, storage_path=folder, name="run")
        try:
            if not over(run, killed_after):
                path = Path(shutil.copytree(path, Path(folder, "killed")))
        finally:
            run.close()
        logger = Latecomer()
        plugins = whim.plugins(logger, session=1)
        samples = whim.num_samples + more
        again = Tuner.restore(
            path, trainable=lambda config: None, param_space={"x": uniform(0, 1)}, num_samples=samples, **plugins
        )
        run = again.open()
        try:
            assert over(run)
        finally:
            run.close()
        assert {trial.state for trial in ResultGrid(path)} <= {"COMPLETED", "STOPPED", "FAILED"}
        whim.check(logger.events)
