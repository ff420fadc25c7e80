from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.contract import finish, killed
from microtune_schedule_pbt import PBT, PBTReplay, schedule_of


@pytest.fixture(name="found")
def found_fixture(toy: Callable[..., mt.Tuner], tmp_path: Path) -> mt.ResultGrid:
    return finish(toy(tmp_path, PBT(perturbation_interval=4, max_t=60, synch=True)))


def theta(schedule: list[tuple[int, dict[str, Any]]], iterations: int) -> list[float]:
    """What a schedule trains, worked out without any tuner."""
    values = [0.9, 0.9]
    for t in range(iterations):
        config = next(config for first, config in reversed(schedule) if first <= t)
        values = [x - 0.01 * 2 * h * x for x, h in zip(values, config["h"], strict=True)]
    return values


def test_the_schedule_of_a_trial_trains_to_its_very_weights(found: mt.ResultGrid) -> None:
    for trial in found:
        schedule = schedule_of(found, trial.id)
        assert len(schedule) > 3
        assert schedule[0][0] == 0
        assert schedule[0][1] in [{"h": [1.0, 0.0]}, {"h": [0.0, 1.0]}]
        assert [first for first, _ in schedule] == sorted({first for first, _ in schedule})
        assert schedule[-1][1] == trial.config
        q = 1.2 - sum(x * x for x in theta(schedule, 60))
        assert trial.metrics["q"] == pytest.approx(q, abs=1e-12)


def test_without_a_trial_it_is_the_best_ones_and_a_path_will_do(found: mt.ResultGrid) -> None:
    assert schedule_of(found.path) == schedule_of(found, found.get_best_result().id)


def test_an_unknown_trial_is_an_error_that_lists_the_known_ones(found: mt.ResultGrid) -> None:
    with pytest.raises(mt.OptionError, match=r"no trial '7'; it has \['00000', '00001'\]"):
        schedule_of(found, "7")


def replay(toy: Callable[..., mt.Tuner], found: mt.ResultGrid, path: Path, **options: Any) -> mt.Tuner:
    file = path / "schedule.json"
    file.write_text(json.dumps(schedule_of(found)))
    return toy(path, PBTReplay(replay=str(file), max_t=60), name="replay", **options)


def test_a_replayed_schedule_trains_what_the_population_did(
    found: mt.ResultGrid, toy: Callable[..., mt.Tuner], tmp_path: Path
) -> None:
    results = finish(replay(toy, found, tmp_path))
    assert len(results) == 1
    assert results[0].metrics["training_iteration"] == 60
    assert results[0].metrics["q"] == found.get_best_result().metrics["q"]
    assert schedule_of(results) == schedule_of(found)


def test_a_killed_replay_goes_on_with_the_config_of_its_iteration(
    found: mt.ResultGrid, toy: Callable[..., mt.Tuner], tmp_path: Path
) -> None:
    for turns in (5, 23, 51):
        folder = tmp_path / str(turns)
        folder.mkdir()
        image = killed(replay(toy, found, folder), turns, folder)
        scheduler = PBTReplay(replay=str(folder / "schedule.json"), max_t=60)
        given = {"scheduler": scheduler, "executor": FakeExecutor(), "searcher": FakeSearcher(configs=[])}
        results = finish(mt.Tuner.restore(image, **given))
        assert results[0].metrics["q"] == found.get_best_result().metrics["q"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("[]", "must begin at iteration 0"),
        ('[[3, {"h": [1, 0]}]]', "must begin at iteration 0"),
        ('[[0, {"h": [1, 0]}], [0, {"h": [1, 1]}]]', "and rise"),
        ('[[0, {"h": [1, 7]}]]', "not in the run's param_space"),
    ],
)
def test_a_wrong_schedule_is_refused(text: str, message: str, toy: Callable[..., mt.Tuner], tmp_path: Path) -> None:
    file = tmp_path / "schedule.json"
    file.write_text(text)
    with pytest.raises(mt.OptionError, match=message):
        finish(toy(tmp_path, PBTReplay(replay=str(file))))


def test_a_missing_schedule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(mt.OptionError, match="cannot be read"):
        PBTReplay(replay=str(tmp_path / "none.json"))


def test_a_change_without_a_checkpoint_is_refused(toy: Callable[..., mt.Tuner], tmp_path: Path) -> None:
    def bare(config: dict[str, Any]) -> None:
        for _ in range(9):
            mt.report(q=1.0)

    file = tmp_path / "schedule.json"
    file.write_text('[[0, {"h": [1.0, 0.0]}], [4, {"h": [0.0, 1.0]}]]')
    tuner = mt.Tuner(
        bare, param_space={"h": [mt.uniform(0, 1), mt.uniform(0, 1)]}, metric="q", mode="max", storage_path=tmp_path,
        loggers=(), scheduler=PBTReplay(replay=str(file)), executor=FakeExecutor(), searcher=FakeSearcher(),
    )  # fmt: skip
    with pytest.raises(mt.PluginError, match="after iteration 4 and has written no checkpoint"):
        finish(tuner)
