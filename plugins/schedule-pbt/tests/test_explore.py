from __future__ import annotations

import random
from typing import Any

import pytest

import microtune as mt
from microtune import Space
from microtune_schedule_pbt.explore import explored, perturb, step, tunable

MIXED: dict[str, Any] = {
    "lr": mt.loguniform(1e-5, 1e-1),
    "rate": mt.uniform(0, 1),
    "signed": mt.uniform(-1, 1),
    "noise": mt.randn(0, 1),
    "step": mt.quniform(0, 1, 0.1),
    "units": mt.randint(1, 100),
    "log_units": mt.lograndint(1, 1000),
    "even": mt.qrandint(2, 20, 2),
    "batch": mt.choice([64, 16, 32]),
    "act": mt.choice(["relu", "tanh", "gelu"]),
    "cell": mt.grid_search([1, 2, 3]),
    "opt": mt.choice(
        [{"kind": "sgd", "momentum": mt.uniform(0, 0.99)}, {"kind": "adam", "beta": mt.uniform(0.8, 0.99)}]
    ),
    "double": mt.sample_from(lambda config: 2 * config["rate"]),
    "fixed": 7,
}


def move(
    space: Space, config: dict[str, Any], rng: random.Random, resample: float = 0.0, **more: Any
) -> dict[str, Any]:
    names = tunable(space, more.get("mutations"), "pbt")
    return explored(space, config, rng, lambda values: perturb(space, names, values, rng, (1.2, 0.8), resample))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("resample", [0.0, 0.25, 1.0])
def test_whatever_is_explored_lies_in_the_space(resample: float, seed: int) -> None:
    space, rng = Space(MIXED), random.Random(seed)
    config = space.sample(rng, {"cell": 2})
    for _ in range(30):
        config = move(space, config, rng, resample)
        assert space.contains(config)
        assert config["double"] == 2 * config["rate"]
        assert config["fixed"] == 7


def test_explore_reaches_both_ends_of_every_range_and_never_passes_them() -> None:
    space, rng = (
        Space({"lr": mt.loguniform(1e-3, 1e-1), "rate": mt.uniform(0, 1), "units": mt.randint(1, 9)}),
        random.Random(1),
    )
    config: dict[str, Any] = {"lr": 1e-2, "rate": 0.5, "units": 4}
    seen: dict[str, set[float]] = {name: set() for name in config}
    for _ in range(3000):
        config = move(space, config, rng)
        for name, value in config.items():
            seen[name].add(value)
    assert (min(seen["lr"]), max(seen["lr"])) == (1e-3, 1e-1)
    assert (min(seen["rate"]), max(seen["rate"])) == (0, 1)
    assert seen["units"] == set(range(1, 9))


@pytest.mark.parametrize(
    ("domain", "value", "up", "down"),
    [
        (mt.loguniform(1e-4, 1), 0.01, 0.012, 0.008),  # equal steps in the logarithm, at any place
        (mt.uniform(0, 1), 0.5, 0.6, 0.4),  # the paper's
        (mt.uniform(0, 1), 0.95, 1.0, 0.76),  # clipped
        (mt.uniform(0, 1), 0.0, 0.02, 0.0),  # 1.2 * 0 is no way out
        (mt.uniform(-1, 1), 0.01, 0.05, -0.03),  # and zero can be passed
        (mt.uniform(-1, 1), -0.5, -0.4, -0.6),
        (mt.randn(0, 1), 0.0, 0.2, -0.2),
        (mt.quniform(0, 1, 0.1), 0.1, 0.2, 0.0),  # 0.12 would be 0.1 again
        (mt.randint(1, 100), 1, 3, 1),
        (mt.randint(1, 10), 2, 3, 1),  # round(2 * 1.2) is 2
        (mt.lograndint(1, 100), 1, 2, 1),
        (mt.qrandint(0, 100, 10), 20, 30, 10),
        (mt.choice([64, 16, 32]), 32, 64, 16),  # in the order of the numbers
        (mt.choice([64, 16, 32]), 64, 64, 32),
        (mt.choice([1, 2, 3], weights=[1, 0, 1]), 1, 3, 1),
        (mt.choice(["a", "b"]), "a", "a", "a"),
        (mt.choice([True, False]), True, True, True),
        (mt.grid_search([1, 10, 100]), 10, 100, 1),
    ],
    ids=str,
)
def test_a_step_up_and_a_step_down(domain: Any, value: Any, up: Any, down: Any) -> None:
    assert step(domain, value, 1.2) == pytest.approx(up)
    assert step(domain, value, 0.8) == pytest.approx(down)
    assert step(domain, value, 1) == value


def test_another_branch_gets_its_parameters_and_the_old_ones_go() -> None:
    space, rng = Space({"opt": MIXED["opt"]}), random.Random(0)
    found = [move(space, {"opt": {"kind": "sgd", "momentum": 0.5}}, rng, resample=1) for _ in range(50)]
    assert {config["opt"]["kind"] for config in found} == {"sgd", "adam"}
    assert all(
        set(config["opt"]) == {"kind", "momentum" if config["opt"]["kind"] == "sgd" else "beta"} for config in found
    )
    same = move(space, {"opt": {"kind": "sgd", "momentum": 0.5}}, rng)
    assert same["opt"]["kind"] == "sgd"
    assert same["opt"]["momentum"] in (pytest.approx(0.6), pytest.approx(0.4))


def test_only_the_mutations_change() -> None:
    space = Space({"lr": mt.loguniform(1e-5, 1), "units": mt.randint(1, 100), "opt": MIXED["opt"]})
    config = {"lr": 0.01, "units": 50, "opt": {"kind": "adam", "beta": 0.9}}
    for seed in range(30):
        moved = move(space, config, random.Random(seed), resample=0.5, mutations=["lr", "opt/1/beta"])
        assert moved["lr"] != 0.01
        assert moved["units"] == 50
        assert moved["opt"]["kind"] == "adam"
        assert moved["opt"]["beta"] != 0.9


def test_constraints_hold_and_where_none_can_the_config_stays() -> None:
    space = Space({"a": mt.uniform(0, 1), "b": mt.uniform(0, 1)}, [lambda config: config["a"] + config["b"] <= 1])
    for seed in range(50):
        moved = move(space, {"a": 0.5, "b": 0.5}, random.Random(seed))
        assert moved["a"] + moved["b"] <= 1
    stuck = Space({"a": mt.uniform(0, 1)}, [lambda config: config["a"] == 0.5])
    assert move(stuck, {"a": 0.5}, random.Random(0)) == {"a": 0.5}


def test_keys_outside_the_space_are_copied() -> None:
    space = Space({"a": mt.uniform(0, 1)})
    assert move(space, {"a": 0.5, "replica": 3}, random.Random(0))["replica"] == 3
