from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys

import pytest

from microtune.faults import SpaceError
from microtune.ranges import Float
from microtune.space import (
    Space,
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)


def rng(seed=0):
    return random.Random(seed)


def doubled(config):
    return 2 * config["n"]


def small_enough(config):
    return config["n"] * config["lr"] < 0.5


def everything():
    return Space(
        {
            "lr": loguniform(1e-5, 1e-1),
            "q": [quniform(0, 1, 0.1), qloguniform(0.1, 2, 0.1), (randn(), qrandn(0, 1, 0.5))],
            "n": randint(1, 10),
            "ints": {"a/b": qrandint(0, 10, 5), "~": lograndint(1, 100), "deep": [{"er": qlograndint(2, 20, 2)}]},
            "hidden": choice([64, 128, (32, 32)], weights=[1, 2, 1]),
            "opt": choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam"}, None]),
            "epochs": 3,
            "tags": ["x", {"y": None}],
            "twice": sample_from(doubled),
        },
        constraints=[small_enough],
    )


# --- sampling and projecting ------------------------------------------------------------------------------------------


def test_samples_are_contained_and_project_onto_themselves():
    space = everything()
    for seed in range(300):
        config = space.sample(rng(seed))
        assert space.contains(config)
        assert space.project(config, rng()) == config
        assert json.loads(json.dumps(config)) == config
        assert list(config) == list(space.spec)


def test_projection_of_anything_numeric_is_contained_and_idempotent():
    space = everything()
    for seed in range(300):
        r = rng(seed)
        flat = space.flatten(space.sample(r))
        for name, value in flat.items():
            if isinstance(value, (int, float)) and name not in ("opt", "hidden"):
                flat[name] = r.choice([value * 10, -value, value + 0.3, 1e9, value])
        flat = {name: value for name, value in flat.items() if r.random() < 0.8}
        config = space.assemble(flat)
        before = copy.deepcopy(config)
        projected = space.project(config, r)
        assert config == before
        assert space.contains(projected)
        assert space.project(projected, r) == projected


def test_the_same_generator_gives_the_same_config_also_in_another_process():
    code = """
import json, random
from microtune.space import Space, choice, loguniform, uniform
space = Space({"lr": loguniform(1e-5, 1e-1), "o": choice([{"k": 1, "m": uniform(0, 1)}, {"k": 2}]), "c": choice(["a", "b"])})
print(json.dumps([space.project({"z": 1, "y": 2, "x": 3}, random.Random(seed)) for seed in range(5)]))
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_projection_clips_rounds_and_quantises():
    space = Space({"a": uniform(0, 1), "b": randint(0, 10), "c": quniform(0, 1, 0.1), "d": choice([1, 10, 100])})
    assert space.project({"a": 7, "b": 3.6, "c": 0.1 * 3, "d": 40}, rng()) == {"a": 1.0, "b": 4, "c": 0.3, "d": 10}


def test_missing_parameters_are_drawn_and_constants_filled_in():
    space = Space({"a": uniform(0, 1), "b": 5, "c": {"d": uniform(2, 3), "e": [1, uniform(4, 5)]}})
    config = space.project({"a": 0.5, "b": 6, "c": {"e": [9]}}, rng())
    assert config["a"] == 0.5
    assert config["b"] == 5
    assert config["c"]["e"][0] == 1
    assert space.contains(config)


def test_keys_outside_the_space_pass_in_their_order():
    space = Space({"a": uniform(0, 1), "b": {"c": uniform(0, 1)}})
    given = {"z": (1, 2), "a": 0.5, "__index__": 3, "b": {"x": None, "c": 0.5}}
    config = space.project(given, rng())
    assert list(config) == ["a", "b", "z", "__index__"]
    assert config == {"a": 0.5, "b": {"c": 0.5, "x": None}, "z": [1, 2], "__index__": 3}
    assert space.contains(config)


def test_foreign_scalars_become_python_numbers():
    class Float64(float):
        """numpy's is a subclass of float, its other scalars are not."""

    class Scalar:
        shape = ()

        def __init__(self, value):
            self.value = value

        def item(self):
            return self.value

    space = everything()
    config = space.sample(rng(1)) | {"extra": Scalar(0.5), "lr": Float64(0.01), "n": Scalar(3), "hidden": Scalar(64)}
    config["q"] = [Scalar(0.30000001), Float64(0.5), (Scalar(0.1), Scalar(1))]
    projected = space.project(config, rng())
    assert json.loads(json.dumps(projected)) == projected
    assert (projected["lr"], projected["n"], projected["hidden"], projected["extra"]) == (0.01, 3, 64, 0.5)
    assert projected["q"] == [0.3, 0.5, [0.1, 1.0]]
    assert [type(projected[key]) for key in ("lr", "n", "hidden", "extra")] == [float, int, int, float]
    assert [type(value) for value in projected["q"][2]] == [float, float]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lr": "high"}, r"config 'lr': 'high' is not a number; allowed: loguniform\(1e-05, 0.1\)"),
        ({"q": [None]}, r"config 'q/0': None is not a number; allowed: quniform\(0.0, 1.0, 0.1\)"),
        ({"ints": {"a/b": "x"}}, "config 'ints/a~1b': 'x' is not a number"),
        ({"hidden": "wide"}, r"config 'hidden': 'wide' is none of the categories; allowed: choice\(\[64, 128, \[32, 32\]\]"),
        ({"ints": 3}, "config 'ints': 3 is not a dict; allowed: "),
        ({"q": [0] * 4}, r"config 'q': \[0, 0, 0, 0\] is not a list of at most 3 items"),
        ({"opt": {"kind": "x"}}, "config 'opt': .* belongs to none of the branches"),
        ({"extra": {"f": [len]}}, "config 'extra/f/0': .* pass a name"),
        ({"ints": {3: 4}}, "config 'ints': the key 3 is not a string"),
        ({"twice": object()}, "config 'twice': .* pass a name"),
        ({"lr": float("nan")}, "config 'lr': nan is not a number"),
        ([1], r"the config \[1\] is not a dict"),
    ],
)
def test_a_config_that_cannot_be_projected_is_refused_with_the_place_and_what_is_allowed(config, message):
    with pytest.raises(SpaceError, match=message):
        everything().project(config, rng())


def test_nothing_in_a_config_is_shared_with_the_space_or_the_given_config():
    space = everything()
    given = {"extra": [[1]], "tags": ["x", {"y": None}]}
    config = space.project(given, rng())
    config["tags"][1]["y"] = config["extra"][0][0] = "changed"
    assert given["extra"] == [[1]]
    assert space.spec["tags"] == ["x", {"y": None}]
    assert space.sample(rng())["tags"] == ["x", {"y": None}]


def test_contains_asks_for_every_parameter_in_plain_values():
    space = Space({"a": uniform(0, 1), "b": [randint(0, 3)], "c": 1, "d": choice([[1]])})
    whole = {"a": 0.5, "b": [1], "c": 1, "d": [1]}
    assert space.contains(whole)
    for wrong in ({"a": 2}, {"b": (1,)}, {"b": [1.0]}, {"b": []}, {"c": 2}, {"c": True}, {"d": [2]}, {"e": {1, 2}}):
        assert not space.contains(whole | wrong), wrong
    for key in whole:
        assert not space.contains({k: v for k, v in whole.items() if k != key})


# --- specifications ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ([uniform(0, 1)], r"the search space is \[uniform\(0.0, 1.0\)\]; it must be a dict"),
        ({"a": {"b/c": [1, print]}}, "the search space at 'a/b~1c/1': .*builtin.*pass a name"),
        ({"a": uniform}, "the search space at 'a': .*function"),
        ({"a": {1: uniform(0, 1)}}, "the search space at 'a': the key 1 is not a string"),
        ({"a": choice([{"b": [grid_search([1])]}, 2])}, "'a/0/b/0': grid_search inside a choice"),
    ],
)
def test_a_space_that_is_none_is_refused(spec, message):
    with pytest.raises(SpaceError, match=message):
        Space(spec)


def test_a_space_of_constants_is_one_point():
    space = Space({"a": 1, "b": {"c": [2]}})
    assert space.size == 1
    assert space.sample(rng()) == {"a": 1, "b": {"c": [2]}}
    assert space.parameters() == []


def test_a_later_change_of_the_specification_does_not_reach_the_space():
    spec = {"a": [1, uniform(0, 1)]}
    space = Space(spec)
    spec["a"][0] = 2
    assert space.sample(rng())["a"][0] == 1


# --- sample_from ------------------------------------------------------------------------------------------------------


def test_functions_are_computed_last_in_whatever_order_they_need_each_other():
    space = Space(
        {
            "c": sample_from(lambda config: config["b"] + 1),
            "b": sample_from(lambda config: config.get("x")["a"] + 1),
            "x": {"a": sample_from(lambda config: config["n"] + 1), "l": [sample_from(lambda: "constant")]},
            "n": randint(0, 100),
            "r": sample_from(lambda config, rng: rng.random()),
        }
    )
    config = space.sample(rng())
    n = config["n"]
    assert (config["x"]["a"], config["b"], config["c"], config["x"]["l"]) == (n + 1, n + 2, n + 3, ["constant"])
    assert list(config) == ["c", "b", "x", "n", "r"]
    assert space.sample(rng()) == config
    assert space.contains(config)


def test_a_value_that_is_given_is_not_computed():
    space = Space({"n": randint(0, 5), "twice": sample_from(doubled)})
    assert space.project({"n": 2, "twice": 7}, rng())["twice"] == 7
    assert space.project({"n": 2}, rng())["twice"] == 4


def test_functions_that_wait_for_each_other_are_named():
    space = Space({"a": sample_from(lambda c: c["b"]), "b": sample_from(lambda c: c["a"]), "n": randint(0, 3)})
    with pytest.raises(SpaceError, match="wait for each other: 'a' reads 'b', 'b' reads 'a'"):
        space.sample(rng())
    with pytest.raises(SpaceError, match="'a' reads 'a'"):
        Space({"a": sample_from(lambda c: c["a"])}).sample(rng())


def test_a_function_that_fails_is_named_with_its_error():
    space = Space({"x": {"a": sample_from(lambda c: 1 / 0)}, "b": sample_from(lambda c: c["x"]["a"])})
    with pytest.raises(SpaceError, match="sample_from at 'x/a' failed: ZeroDivisionError: division by zero") as caught:
        space.sample(rng())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(SpaceError, match="sample_from at 'a' failed: KeyError: 'missing'"):
        Space({"a": sample_from(lambda c: c["missing"])}).sample(rng())


def test_what_a_function_returns_is_json():
    assert Space({"a": sample_from(lambda: (1, 2))}).sample(rng()) == {"a": [1, 2]}
    with pytest.raises(SpaceError, match=r"sample_from at 'a' failed: .*pass a name"):
        Space({"a": sample_from(lambda: print)}).sample(rng())


# --- constraints ------------------------------------------------------------------------------------------------------


def test_a_config_is_feasible_if_every_constraint_holds():
    space = Space({"a": uniform(0, 1)}, [lambda c: c["a"] > 0.2, lambda c: c["a"] < 0.8])
    assert [space.feasible({"a": a}) for a in (0.1, 0.5, 0.9)] == [False, True, False]


def test_a_constraint_that_raises_is_named():
    with pytest.raises(SpaceError, match=r"the constraint .*small_enough raised KeyError: 'n' for the config \{'lr': 1\}"):
        Space({"lr": uniform(0, 1)}, [small_enough]).feasible({"lr": 1})


# --- for adapters -----------------------------------------------------------------------------------------------------


def test_parameters_are_listed_in_order_with_their_conditions():
    listed = [(p.name, p.condition) for p in everything().parameters()]
    assert listed == [
        ("lr", None), ("q/0", None), ("q/1", None), ("q/2/0", None), ("q/2/1", None), ("n", None), ("ints/a~1b", None),
        ("ints/~0", None), ("ints/deep/0/er", None), ("hidden", None), ("opt", None), ("opt/0/momentum", ("opt", 0)),
    ]  # fmt: skip
    momentum = everything().parameters()[-1]
    assert momentum.path == ("opt", 0, "momentum")
    assert momentum.domain == Float(0.0, 1.0)


def test_names_are_unique_whatever_the_keys():
    space = Space({"a/b": uniform(0, 1), "a": {"b": uniform(0, 1)}, "a~1b": uniform(0, 1), "a~": {"1b": uniform(0, 1)}})
    names = [p.name for p in space.parameters()]
    assert names == ["a~1b", "a/b", "a~01b", "a~0/1b"]
    config = space.sample(rng())
    assert space.assemble(space.flatten(config)) == config


def test_flatten_and_assemble_are_inverse_but_for_what_is_computed():
    space = everything()
    for seed in range(100):
        config = space.sample(rng(seed))
        flat = space.flatten(config)
        assert set(flat) <= {p.name for p in space.parameters()}
        assert space.assemble(flat) == {key: value for key, value in config.items() if key != "twice"}
        assert space.project(space.assemble(flat), rng()) == config


def test_values_of_other_branches_are_ignored_and_missing_ones_left_to_project():
    branches = [{"a": uniform(0, 1), "k": 1}, {"b": uniform(0, 1), "k": 2}]
    space = Space({"l": [uniform(0, 1), uniform(2, 3)], "o": choice(branches)})
    config = space.assemble({"l/1": 2.5, "o": 1, "o/0/a": 0.1})
    assert config["o"] == {"k": 2}
    projected = space.project(config, rng())
    assert projected["l"][1] == 2.5
    assert space.contains(projected)
    assert space.flatten(projected)["o"] == 1


def test_an_unknown_name_cannot_be_assembled():
    with pytest.raises(SpaceError, match=r"the space has no parameter \['rl'\]; it has \['lr'\]"):
        Space({"lr": uniform(0, 1)}).assemble({"rl": 1})


def test_resampling_the_flat_values_walks_the_conditional_tree():
    space = everything()
    domains = {p.name: p.domain for p in space.parameters()}
    r = rng()
    config = space.sample(r)
    kinds = set()
    for _ in range(100):
        flat = space.flatten(config)
        name = r.choice(sorted(flat))
        flat[name] = domains[name].sample(r)
        config = space.project(space.assemble(flat), r)
        assert space.contains(config)
        kinds.add(space.flatten(config)["opt"])
    assert kinds == {0, 1, 2}


def test_size_counts_what_is_finite():
    assert Space({"a": randint(0, 3), "b": [choice(["a", "b"])]}).size == 6
    assert Space({"a": choice([{"b": randint(0, 3)}, {"c": randint(0, 4), "d": choice([1, 2])}, None])}).size == 3 + 8 + 1
    assert Space({"a": grid_search([1, 2]), "b": quniform(0, 1, 0.5)}).size == 6
    assert Space({"a": randint(0, 3), "b": uniform(0, 1)}).size is None
    assert Space({"a": choice([1, uniform(0, 1)])}).size is None
    assert Space({"a": sample_from(lambda: 1)}).size is None


# --- grids ------------------------------------------------------------------------------------------------------------


def gridded():
    return Space({"b": {"x": grid_search([1, 2])}, "a": grid_search(["p", "q", "r"]), "u": uniform(0, 1)})


def test_cells_are_walked_in_declared_order():
    cells = list(gridded().cells())
    assert gridded().grid_size == 6
    assert cells[:4] == [{"b/x": 1, "a": "p"}, {"b/x": 1, "a": "q"}, {"b/x": 1, "a": "r"}, {"b/x": 2, "a": "p"}]
    assert list(Space({"u": uniform(0, 1)}).cells()) == [{}]
    assert Space({"u": uniform(0, 1)}).grid_size == 1


def test_a_cell_sets_the_grid_of_a_sample():
    config = gridded().sample(rng(), {"b/x": 2, "a": "r"})
    assert (config["b"], config["a"]) == ({"x": 2}, "r")
    assert gridded().contains(config)


def test_without_a_cell_a_grid_cannot_be_drawn():
    with pytest.raises(SpaceError, match="config 'b/x': grid_search works with searcher='grid' only; use choice"):
        gridded().sample(rng())
    with pytest.raises(SpaceError, match="config 'a': grid_search works with"):
        gridded().project({"b": {"x": 1}}, rng())
    assert gridded().project({"b": {"x": 1}, "a": "p", "u": 0.5}, rng()) == {"b": {"x": 1}, "a": "p", "u": 0.5}


def test_trials_are_counted_as_ray_tune_counts_them():
    # The example in the docstring of Ray Tune's BasicVariantGenerator: six trials via four samples.
    space = Space({"a": grid_search([1, 2]), "b": randint(0, 3)})
    assert space.count(4, [{"a": 2, "b": 2}, {"a": 1}, {"b": 2}]) == 6
    assert gridded().count(2) == 12
    assert gridded().count(2, [{"a": "p"}]) == 2 + 6
    assert gridded().count(1, [{"a": "p", "b": {"x": 1}}] * 3) == 3
    assert gridded().count(None) is None
    assert Space({"u": uniform(0, 1)}).count(5, [{}, {}]) == 5
    assert list(gridded().cells({"a": "p"})) == [{"b/x": 1}, {"b/x": 2}]


# --- JSON, comparison -------------------------------------------------------------------------------------------------


def test_a_space_comes_back_from_json():
    space = everything()
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.to_json() == space.to_json()
    assert [p.name for p in again.parameters()] == [p.name for p in space.parameters()]
    config = space.sample(rng())
    assert again.project(config, rng()) == config
    assert again.contains(config)


def test_a_space_without_functions_comes_back_whole():
    space = Space({"a": uniform(0, 1), "o": choice([{"b": qrandn(0, 1, 0.5)}, 1])})
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert not again.opaque
    assert [again.sample(rng(seed)) for seed in range(9)] == [space.sample(rng(seed)) for seed in range(9)]


def test_a_space_with_functions_comes_back_opaque():
    assert not everything().opaque
    for space in (everything(), Space({"a": 1}, [small_enough]), Space({"a": choice([{"b": [sample_from(doubled)]}, 2])})):
        assert Space.from_json(space.to_json()).opaque
    again = Space.from_json(everything().to_json())
    with pytest.raises(SpaceError, match=r"small_enough is a function.*pass param_space= again"):
        again.feasible({"lr": 0.1, "n": 1})
    with pytest.raises(SpaceError, match=r"sample_from at 'twice' failed: .*doubled is a function.*pass param_space= again"):
        again.sample(rng())


def test_spaces_compare_by_what_they_declare():
    assert everything() == everything()
    assert Space({"a": uniform(0, 1)}) != Space({"a": uniform(0, 2)})
    assert Space({"a": 1}) != Space({"a": 1}, [small_enough])
    assert Space({"a": 1}) != {"a": 1}


def test_the_text_of_a_space_shows_what_it_declares():
    text = repr(Space({"a": uniform(0, 1)}, [small_enough]))
    assert text.startswith("Space({'a': uniform(0.0, 1.0)}, constraints=[")
    assert text.endswith(":small_enough])")


def test_importing_the_space_loads_nothing_heavy():
    heavy = "{'numpy', 'decimal', 'fractions', 'sqlite3', 'asyncio', 'multiprocessing', 'importlib.metadata', 'pluggy'}"
    code = f"import sys, microtune.space; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
