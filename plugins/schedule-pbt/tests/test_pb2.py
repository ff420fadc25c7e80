from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.contract import finish, killed
from microtune_schedule_pbt.bandit import GaussianProcess, Rows, boldest, covariance, drawn
from microtune_schedule_pbt.pb2 import PB2, from_unit, to_unit


@pytest.mark.parametrize("seed", range(3))
def test_on_the_papers_toy_problem_the_bandit_reaches_the_top(
    seed: int, toy: Callable[..., mt.Tuner], tmp_path: Path
) -> None:
    results = finish(toy(tmp_path, PB2(perturbation_interval=4, max_t=200), seed=seed))
    assert max(trial.metrics["q"] for trial in results) > 1.19


def test_the_process_is_the_textbooks() -> None:
    # Rasmussen & Williams 2006, equations 2.25 and 2.26, by the inverse
    draws = np.random.default_rng(0)
    rows = Rows(np.arange(8.0), draws.random((8, 2)), draws.integers(0, 2, (8, 1)))
    gains = draws.random(8)
    process = GaussianProcess(rows, gains)
    at = Rows(np.full(5, 9.0), draws.random((5, 2)), draws.integers(0, 2, (5, 1)))
    settings = (process._length, process._forgetting)
    inverse = np.linalg.inv(covariance(rows, rows, *settings) + process._noise * np.eye(8))
    cross = covariance(at, rows, *settings)
    wanted = np.clip((gains - gains.mean()) / gains.std(), -2, 2)
    assert process.mean(at) == pytest.approx(cross @ inverse @ wanted, abs=1e-5)
    nobody = Rows([], np.empty((0, 2)), np.empty((0, 1)))
    assert process.deviation(at, nobody) ** 2 == pytest.approx(1 - np.diag(cross @ inverse @ cross.T), abs=1e-5)


def test_a_point_at_work_leaves_less_to_be_learnt_there() -> None:
    rows = Rows([0.0, 1.0, 2.0], [[0.1], [0.2], [0.3]], np.empty((3, 0)))
    process = GaussianProcess(rows, [1.0, 2.0, 3.0])
    at = Rows([3.0], [[0.9]], np.empty((1, 0)))
    assert process.deviation(at, at)[0] < process.deviation(at, Rows([], np.empty((0, 1)), np.empty((0, 0))))[0]


def test_the_bound_leads_to_where_the_gain_was() -> None:
    draws = np.random.default_rng(3)
    points = draws.random((40, 2))
    rows = Rows(np.arange(40) / 4, np.column_stack([np.zeros(40), points]), np.empty((40, 0)))
    process = GaussianProcess(rows, -((points - [0.7, 0.2]) ** 2).sum(axis=1))
    nobody = Rows([], np.empty((0, 3)), np.empty((0, 0)))
    found = boldest(process, nobody, 10.0, [0.0], [], [0.5, 0.5], random.Random(0))
    assert found == pytest.approx([0.7, 0.2], abs=0.25)
    assert found == boldest(process, nobody, 10.0, [0.0], [], [0.5, 0.5], random.Random(0))


def test_a_category_that_pays_is_drawn_more_often_and_no_other_is_given_up() -> None:
    rng = random.Random(0)
    gains = [(category, 1.0 if category == 1 else 0.0) for category in [0, 1, 2] * 30]
    count = Counter(drawn(gains, 3, rng) for _ in range(1000))
    assert count[1] > 1.3 * max(count[0], count[2])
    assert min(count[0], count[2]) > 50
    assert {drawn([], 3, rng) for _ in range(50)} == {0, 1, 2}
    assert drawn([(0, 1.0)], 1, rng) == 0


@pytest.mark.parametrize(
    "domain",
    [
        mt.uniform(-2, 3), mt.loguniform(1e-4, 1), mt.quniform(0, 1, 0.1), mt.randint(3, 9), mt.lograndint(1, 50),
        mt.randn(1, 2), mt.choice([3, 1, 2]), mt.grid_search([1, 5]), mt.choice([4]), mt.randint(3, 4),
    ],
    ids=str,
)  # fmt: skip
def test_a_number_comes_back_from_the_unit_interval(domain: Any) -> None:
    rng = random.Random(0)
    for _ in range(20):
        value = rng.choice(domain.values) if hasattr(domain, "values") else domain.sample(rng)
        share = to_unit(domain, value)
        assert 0 <= share <= 1
        assert from_unit(domain, share) == pytest.approx(value)


SPACE = {
    "lr": mt.loguniform(1e-4, 1),
    "units": mt.randint(1, 9),
    "act": mt.choice(["relu", "tanh"]),
    "opt": mt.choice([{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam"}]),
}


def learn(config: dict[str, Any]) -> None:
    folder = mt.get_checkpoint()
    total, first = map(float, (folder / "s").read_text().split()) if folder else (0.0, 0.0)
    for t in range(int(first) + 1, 31):
        total += config["lr"] + (config["act"] == "tanh") + config["units"] / 9
        draft = mt.checkpoint_dir()
        (draft / "s").write_text(f"{total} {t}")
        mt.report(score=total, checkpoint=draft)


def mixed(path: Path, **more: Any) -> mt.Tuner:
    given = {
        "param_space": SPACE, "metric": "score", "mode": "max", "num_samples": 6, "storage_path": path, "name": "run",
        "seed": 2, "loggers": (), "searcher": FakeSearcher(), "scheduler": PB2(perturbation_interval=3),
        "executor": FakeExecutor(workers=3), **more,
    }  # fmt: skip
    return mt.Tuner(learn, **given)


def test_numbers_categories_and_branches_are_explored_within_the_space(tmp_path: Path) -> None:
    results = finish(mixed(tmp_path))
    configs = [e.body["config"] for e in mt.Reader(results.path).events(kinds=("resumed",)) if "config" in e.body]
    assert len(configs) >= 10
    assert all(mt.Space(SPACE).contains(config) for config in configs)
    assert {config["opt"]["kind"] for config in configs} == {"sgd", "adam"}
    assert not results.errors


@pytest.mark.parametrize("turns", [40, 120])
def test_a_killed_run_goes_on_with_the_same_data(turns: int, tmp_path: Path) -> None:
    whole = finish(mixed(tmp_path / "whole"))
    image = killed(mixed(tmp_path / "cut"), turns, tmp_path)
    given = {"scheduler": PB2(perturbation_interval=3), "executor": FakeExecutor(workers=3), "searcher": FakeSearcher()}
    resumed = finish(mt.Tuner.restore(image, learn, **given))
    assert [trial.config for trial in resumed] == [trial.config for trial in whole]
