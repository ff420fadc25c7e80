from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune import Reader, hookimpl, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.contract import finish, killed
from microtune.testing.trainables import curve_without_checkpoints
from microtune_schedule_pbt import PBT


class NoOpinion:
    """max_t alone."""

    def __init__(self, max_t: int) -> None:
        self._max_t = max_t

    @hookimpl
    def decide(self, result: mt.Result) -> mt.Stop | None:
        return mt.Stop("max_t") if result.training_iteration >= self._max_t else None


def steady(config: dict[str, Any]) -> None:
    """Gains `x` at every iteration, on from what its checkpoint had."""
    folder = mt.get_checkpoint()
    total, first = map(float, (folder / "state").read_text().split()) if folder else (0.0, 0.0)
    for t in range(int(first) + 1, 41):
        total += config["x"]
        draft = mt.checkpoint_dir()
        (draft / "state").write_text(f"{total} {t}")
        mt.report(score=config.get("sign", 1) * total, t=t, checkpoint=draft)


def population(
    path: Path, scheduler: Any, configs: list[float], trainable: Any = steady, workers: int = 0, **more: Any
) -> mt.Tuner:
    given: dict[str, Any] = {
        "param_space": {"x": uniform(0, 10)}, "metric": "score", "mode": "max", "num_samples": len(configs), "seed": 1,
        "storage_path": path, "name": "run", "loggers": (), "searcher": FakeSearcher(configs=[{"x": x} for x in configs]),
        "scheduler": scheduler, "executor": FakeExecutor(workers=workers or len(configs)), "checkpoints": {"keep": 1}, **more,
    }  # fmt: skip
    return mt.Tuner(trainable, **given)


def events(path: str, *kinds: str) -> list[mt.Event]:
    return list(Reader(path).events(kinds=kinds))


def copies(path: str) -> list[tuple[str, str, int]]:
    """(copy, donor, iteration) of every exploit."""
    found = []
    for event in events(path, "resumed"):
        if "checkpoint" in event.body:
            folder = Path(event.body["checkpoint"])
            found.append((event.trial or "", folder.parent.parent.name, event.body["iteration"]))
    return found


def best(results: mt.ResultGrid) -> float:
    return max(row["q"] for rows in results.histories().values() for row in rows)


# --- the paper's toy problem -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("workers", "options"), [(2, {}), (1, {}), (2, {"synch": True})], ids=str)
def test_on_the_papers_toy_problem_the_population_reaches_what_grid_search_cannot(
    workers: int, options: dict[str, Any], seed: int, toy: Callable[..., mt.Tuner], tmp_path: Path
) -> None:
    scheduler = PBT(perturbation_interval=4, max_t=240, **options)
    assert best(finish(toy(tmp_path, scheduler, workers=workers, seed=seed))) > 1.19


def test_grid_search_on_the_papers_toy_problem_stays_below_zero_point_four(
    toy: Callable[..., mt.Tuner], tmp_path: Path
) -> None:
    assert 0.38 < best(finish(toy(tmp_path, NoOpinion(240)))) < 1.2 - 0.81 + 1e-9


# --- who copies whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [8, 3, 1])
@pytest.mark.parametrize("synch", [False, True])
def test_the_bottom_quarter_copies_the_top_quarter(synch: bool, workers: int, tmp_path: Path) -> None:
    scheduler = PBT(perturbation_interval=5, max_t=9, synch=synch)
    results = finish(population(tmp_path, scheduler, [1, 2, 3, 4, 5, 6, 7, 8], workers=workers))
    found = copies(results.path)
    assert {copy for copy, _, _ in found} == {"00000", "00001"}
    # Asynchronous on three workers: the last two members are still on their way when the first may go on.
    late = {"00005"} if workers == 3 and not synch else set()
    assert {donor for _, donor, _ in found} <= {"00006", "00007"} | late
    if synch or workers < 8:  # else the donor may have gone further already
        assert {iteration for _, _, iteration in found} == {5}
    assert len(found) == 2


def test_a_copy_has_its_donors_weights_and_a_config_near_its_donors(tmp_path: Path) -> None:
    scheduler = PBT(perturbation_interval=5, max_t=9, synch=True, resample_probability=0)
    results = finish(population(tmp_path, scheduler, [1, 2, 8, 4]))
    row = next(row for row in results[0].history if row["training_iteration"] == 6)
    assert results[0].config["x"] in (pytest.approx(9.6), pytest.approx(6.4))
    assert row["score"] == pytest.approx(5 * 8 + results[0].config["x"])
    assert row["t"] == 6


def test_min_copies_the_lowest(tmp_path: Path) -> None:
    results = finish(population(tmp_path, PBT(perturbation_interval=5, max_t=9, synch=True), [1, 2, 3, 4], mode="min"))
    assert copies(results.path) == [("00003", "00000", 5)]


def blind(config: dict[str, Any]) -> None:
    """Trial 0 reports NaN, trial 1 not the metric, trial 2 infinity; the others x."""
    folder = mt.get_checkpoint()
    source, first = (folder / "state").read_text().split() if folder else (str(mt.get_context().number), "0")
    for t in range(int(first) + 1, 21):
        draft = mt.checkpoint_dir()
        (draft / "state").write_text(f"{source} {t}")
        value = {"0": {"score": math.nan}, "1": {"other": 1}, "2": {"score": math.inf}}.get(
            source, {"score": config["x"]}
        )
        mt.report(value, checkpoint=draft)


@pytest.mark.parametrize("synch", [False, True])
def test_who_has_no_number_is_replaced_first_and_never_copied(synch: bool, tmp_path: Path) -> None:
    scheduler = PBT(perturbation_interval=5, max_t=9, synch=synch)
    results = finish(population(tmp_path, scheduler, [9, 9, 9, 1, 2, 3, 4, 5], blind))
    found = copies(results.path)
    assert {"00000", "00001", "00002"} <= {copy for copy, _, _ in found}
    assert {donor for _, donor, _ in found} <= {"00006", "00007"}


def test_equal_populations_without_a_number_copy_nobody(tmp_path: Path) -> None:
    def silent(config: dict[str, Any]) -> None:
        for t in range(20):
            draft = mt.checkpoint_dir()
            mt.report({"score": 1.0} if t == 0 else {"score": math.nan}, checkpoint=draft)

    results = finish(population(tmp_path, PBT(perturbation_interval=5, max_t=15), [1, 2, 3, 4], silent))
    assert copies(results.path) == []


def test_tournament_copies_an_opponent_that_is_better(tmp_path: Path) -> None:
    xs = [1, 2, 3, 4, 5, 6, 7, 8]
    results = finish(population(tmp_path, PBT(perturbation_interval=5, max_t=9, exploit="tournament", synch=True), xs))
    found = copies(results.path)
    assert found
    assert all(int(donor) > int(copy) for copy, donor, _ in found)
    assert {donor for _, donor, _ in found} - {"00006", "00007"}, "not only the top quarter"


def test_mutations_limits_what_changes(tmp_path: Path) -> None:
    space = {"x": uniform(0, 10), "units": mt.choice([16, 32, 64])}
    configs = [{"x": 1.0, "units": 16}, {"x": 2.0, "units": 32}, {"x": 8.0, "units": 64}, {"x": 3.0, "units": 32}]
    results = finish(
        population(
            tmp_path, PBT(perturbation_interval=2, synch=True, mutations=["x"], resample_probability=1), [1, 2, 3, 4],
            param_space=space, searcher=FakeSearcher(configs=configs),
        )
    )  # fmt: skip
    explored = [event.body["config"] for event in events(results.path, "resumed") if "config" in event.body]
    assert len(explored) >= 10
    assert {config["units"] for config in explored} == {64}


def test_a_function_explores_instead(tmp_path: Path) -> None:
    def explore(config: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        return {"x": config["x"] / 2}

    results = finish(
        population(tmp_path, PBT(perturbation_interval=5, max_t=9, synch=True, explore=explore), [1, 2, 8, 4])
    )
    assert results[0].config == {"x": 4.0}


# --- the population --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "synch"), [(1, False), (3, False), (1, True), (3, True)])
def test_with_fewer_slots_than_members_the_population_advances_in_step(
    workers: int, synch: bool, tmp_path: Path
) -> None:
    results = finish(
        population(tmp_path, PBT(perturbation_interval=4, synch=synch), list(range(1, 8)), workers=workers)
    )
    reached = dict.fromkeys((f"{number:05d}" for number in range(7)), 0)
    for event in events(results.path, "resumed", "result", "created"):
        if event.kind == "resumed" and "iteration" in event.body:
            reached[event.trial or ""] = event.body["iteration"]
        elif event.kind == "result":
            reached[event.trial or ""] = event.body["iteration"]
            assert max(reached.values()) - min(reached.values()) <= 2 * 4, reached
    assert set(reached.values()) == {40}


def test_with_a_slot_for_each_only_copies_pause(tmp_path: Path) -> None:
    results = finish(population(tmp_path, PBT(perturbation_interval=4), list(range(1, 9))))
    assert {event.body["reason"] for event in events(results.path, "decided") if event.body["decision"] == "pause"} == {
        "to copy a better member"
    }


def test_population_size_ends_the_searchers_work(tmp_path: Path) -> None:
    tuner = population(
        tmp_path,
        PBT(population_size=5, perturbation_interval=5),
        [1] * 5,
        num_samples=None,
        searcher=FakeSearcher(),
        workers=2,
    )
    results = finish(tuner)
    assert len(results) == 5
    assert {trial.state for trial in results} == {"COMPLETED"}


def test_max_t_ends_every_member(tmp_path: Path) -> None:
    results = finish(population(tmp_path, PBT(perturbation_interval=4, max_t=10), [1, 2, 3, 4]))
    assert {(trial.state, trial.metrics["training_iteration"]) for trial in results} == {("STOPPED", 10)}


@pytest.mark.parametrize("seed", range(12))
def test_nobody_waits_for_ever_whatever_fails_stops_or_is_lost(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    size, workers = rng.randrange(1, 9), rng.randrange(1, 6)
    fails = {number: rng.randrange(1, 40) for number in range(size) if rng.random() < 0.4}
    stops = {number: rng.randrange(1, 40) for number in range(size) if rng.random() < 0.3}

    def fragile(config: dict[str, Any]) -> None:
        folder = mt.get_checkpoint()
        first = int((folder / "t").read_text()) if folder else 0
        for t in range(first + 1, 31):
            if fails.get(mt.get_context().number) == t:
                raise ValueError("it breaks here")
            draft = mt.checkpoint_dir()
            (draft / "t").write_text(str(t))
            mt.report(score=config["x"] * t if rng.random() > 0.2 else math.nan, checkpoint=draft)

    class Stops:
        @hookimpl
        def decide(self, trial: mt.Trial, result: mt.Result) -> mt.Stop | None:
            return mt.Stop("a rule") if result.training_iteration >= stops.get(trial.number, 99) else None

    scheduler = PBT(
        perturbation_interval=rng.choice([1, 3, 7]), synch=seed % 2 == 0, quantile_fraction=rng.choice([0.1, 0.25, 0.5]),
        exploit=rng.choice(["truncation", "tournament"]),
    )  # fmt: skip
    configs = [rng.uniform(0, 10) for _ in range(size)]
    tuner = population(
        tmp_path, scheduler, configs, fragile, workers=workers, stop=Stops(), max_failures=rng.randrange(2),
        num_samples=size + rng.randrange(3),  # more than the searcher has
    )  # fmt: skip
    results = finish(tuner)
    assert len(results) == size
    assert {trial.state for trial in results} <= {"COMPLETED", "STOPPED", "FAILED"}


# --- checkpoints -----------------------------------------------------------------------------------------------------


class Watch:
    """Sees that what a trial restores from is there whenever it is launched."""

    def __init__(self) -> None:
        self.donated = 0

    @hookimpl
    def launch(self, trial: mt.Trial) -> None:
        if trial.checkpoint is not None:
            assert os.path.isdir(trial.checkpoint), f"{trial.checkpoint} is gone"
            self.donated += trial.id not in trial.checkpoint


@pytest.mark.parametrize(("workers", "synch"), [(6, False), (2, False), (6, True), (2, True), (1, True)])
def test_a_donors_checkpoint_is_there_until_its_copy_has_started(workers: int, synch: bool, tmp_path: Path) -> None:
    # keep=1: of every trial all but the last is deleted at once (ray-project/ray#8441, #53831)
    watch = Watch()
    scheduler = PBT(perturbation_interval=2, synch=synch)
    tuner = population(tmp_path, scheduler, list(range(1, 7)), workers=workers, stop=watch)
    results = finish(tuner)
    assert watch.donated >= 4
    assert not results.errors
    assert len(events(results.path, "deleted")) > 50


def test_trials_that_write_no_checkpoint_are_refused_with_what_to_do(tmp_path: Path) -> None:
    space = {"metric": "loss", "mode": "min"}
    tuner = population(tmp_path, PBT(perturbation_interval=5), [1, 2, 3], curve_without_checkpoints, **space)
    with pytest.raises(mt.PluginError, match=r"training_iteration=5.*written no checkpoint.*checkpoint_dir\(\)"):
        finish(tuner)


# --- a killed run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [3, 17, 44, 90])
@pytest.mark.parametrize(("workers", "synch"), [(4, False), (2, False), (2, True)])
def test_a_killed_run_decides_the_same(workers: int, synch: bool, turns: int, tmp_path: Path) -> None:
    def tuner(path: Path) -> mt.Tuner:
        return population(path, PBT(perturbation_interval=3, synch=synch), [1, 2, 3, 4, 5], workers=workers)

    whole = finish(tuner(tmp_path / "whole"))
    image = killed(tuner(tmp_path / "cut"), turns, tmp_path)
    scheduler, executor = PBT(perturbation_interval=3, synch=synch), FakeExecutor(workers=workers)
    searcher = FakeSearcher(configs=[{"x": x} for x in [1, 2, 3, 4, 5]])
    resumed = finish(mt.Tuner.restore(image, steady, scheduler=scheduler, executor=executor, searcher=searcher))
    assert copies(resumed.path) == copies(whole.path)
    assert [trial.config for trial in resumed] == [trial.config for trial in whole]
    assert [trial.metrics["score"] for trial in resumed] == [trial.metrics["score"] for trial in whole]


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perturbation_interval": 0}, "perturbation_interval=0"),
        ({"quantile_fraction": 0.6}, "at most 0.5"),
        ({"resample_probability": 2}, "0 to 1"),
        ({"perturbation_factors": ()}, "positive numbers"),
        ({"perturbation_factors": (1.2, -1)}, "positive numbers"),
        ({"exploit": "ttest"}, "'truncation' or 'tournament'"),
        ({"population_size": 0}, "must be positive"),
        ({"population_size": 9}, "more than the 2 trials"),
        ({"mutations": ["y"]}, r"\['y'\]; the parameters of the space are \['x'\]"),
    ],
)
def test_a_wrong_option_says_what_is_right(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(mt.OptionError, match=message):
        finish(population(tmp_path, PBT(**options), [1, 2]))


def test_without_num_samples_the_population_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(mt.OptionError, match="population_size="):
        finish(population(tmp_path, PBT(), [1, 2], num_samples=None))
