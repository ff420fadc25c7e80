"""The contract of a searcher."""

from __future__ import annotations

import inspect
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

from microtune import OptionError, ResultGrid, Space, Tuner, choice, grid_search, randint, uniform
from microtune.testing.contract import Contract, finish, killed
from microtune.testing.fakes import FakeExecutor, FakeSearcher
from microtune.testing.spaces import MIXED, SPACES
from microtune.testing.trainables import bowl, hill, nested, pair, unreliable

# Run in a process of its own: the contract of the file argv[1] with the name argv[2].
_ELSEWHERE = """
import importlib.util, json, operator, sys
spec = importlib.util.spec_from_file_location("contract_elsewhere", sys.argv[1])
module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps(operator.attrgetter(sys.argv[2])(module)().configs_of_a_run()))
"""

_undisturbed: dict[type, dict[int, list[dict[str, Any]]]] = {}  # class of tests -> workers -> configs


class SearcherContract(Contract):
    """What any searcher keeps. Its capabilities:

    startup: how many trials it starts before it models anything; every run here is that much longer.
    exact_resume: a run that is killed and resumed makes the same suggestions as one that was not.
    grid: it goes through grid_search; else it must refuse it.
    learns: what it proposes after its first `startup` trials depends on how the trials before went.
    distinct: where there are real numbers to choose, it proposes no config twice, trials in flight included.
    """

    role = "searcher"
    startup: ClassVar[int] = 0
    exact_resume: ClassVar[bool] = True
    grid: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    distinct: ClassVar[bool] = True

    @property
    def samples(self) -> int:
        return self.startup + 12

    def tuner(
        self, space: dict[str, Any] = MIXED, trainable: Callable[..., Any] = bowl, *, workers: int = 1, **more: Any
    ) -> Tuner:
        given = {
            "metric": "loss", "mode": "min", "num_samples": self.samples, "seed": 1, "storage_path": ":memory:", "loggers": (),
            "searcher": self.make(), "executor": FakeExecutor(workers=workers), **more,
        }  # fmt: skip
        return Tuner(trainable, param_space=space, **given)

    def restore(self, path: Path, **changes: Any) -> Tuner:
        return Tuner.restore(path, **{"searcher": self.make(), "executor": FakeExecutor(), **changes})

    def configs_of_a_run(self) -> list[dict[str, Any]]:
        return configs(finish(self.tuner()))

    def undisturbed(self, workers: int = 1) -> list[dict[str, Any]]:
        """What a run proposes that nobody kills or changes. It is run once: a model may take seconds for a proposal."""
        known = _undisturbed.setdefault(type(self), {})
        if workers not in known:
            known[workers] = configs(finish(self.tuner(workers=workers)))
        return known[workers]

    # --- what it proposes --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", list(SPACES))
    def test_every_kind_of_domain_gives_plain_configs_of_the_space(self, name: str) -> None:
        results = finish(self.tuner(SPACES[name], workers=3))
        assert 1 <= len(results) <= self.samples
        space = Space(SPACES[name])
        for trial in results:
            assert trial.state == "COMPLETED", trial.error
            assert space.contains(trial.config), trial.config
            assert same_types(trial.config, json.loads(json.dumps(trial.config)))

    def test_it_does_not_propose_one_config_for_ever(self) -> None:
        assert len({repr(config) for config in self.undisturbed()}) > 1

    @pytest.mark.parametrize("space", [{"x": choice([3])}, {"x": 3}, {"x": uniform(0, 1), "y": choice([3])}])
    def test_a_space_of_one_point_or_dimension_is_no_problem(self, space: dict[str, Any]) -> None:
        results = finish(self.tuner(space))
        assert 1 <= len(results) <= self.samples

    def test_a_finite_space_may_be_exhausted_or_repeated_but_ends(self) -> None:
        results = finish(self.tuner({"x": choice(["a", "b"]), "y": randint(0, 2)}, workers=2))
        assert 1 <= len(results) <= self.samples

    def test_grid_search_is_gone_through_or_refused(self) -> None:
        tuner = self.tuner({"x": grid_search([1, 2, 3]), "y": uniform(0, 1)}, num_samples=2)
        if self.grid:
            assert [config["x"] for config in configs(finish(tuner))] == [1, 2, 3, 1, 2, 3]
        else:
            with pytest.raises(OptionError, match="grid_search"):
                finish(tuner)

    # --- seeds -------------------------------------------------------------------------------------------------------

    def test_the_same_seed_proposes_the_same(self) -> None:
        assert self.configs_of_a_run() == self.configs_of_a_run()

    def test_another_process_with_another_hash_seed_proposes_the_same(self) -> None:
        arguments = [sys.executable, "-c", _ELSEWHERE, inspect.getfile(type(self)), type(self).__qualname__]
        hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        child = subprocess.run(
            arguments, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, timeout=600, check=False
        )
        assert child.returncode == 0, child.stderr
        assert json.loads(child.stdout.splitlines()[-1]) == self.configs_of_a_run()

    def test_global_generators_are_left_alone_and_mean_nothing(self) -> None:
        random.seed(5)
        first = _global_state()
        configs_then = self.configs_of_a_run()
        assert _global_state() == first, "the searcher used a global generator: draw from the hook's rng, or from run.rng()"
        random.seed(6)
        assert self.configs_of_a_run() == configs_then

    # --- what it is told ---------------------------------------------------------------------------------------------

    def test_many_trials_may_be_in_flight(self) -> None:
        results = finish(self.tuner(workers=8))
        assert len(results) == self.samples
        assert all(trial.state == "COMPLETED" for trial in results)

    @pytest.mark.parametrize("workers", [1, 8])
    def test_trials_in_flight_are_not_proposed_again(self, workers: int) -> None:
        space = {"x": uniform(0, 1), "y": uniform(0, 1)}
        proposed = [repr(config) for config in configs(finish(self.tuner(space, workers=workers)))]
        assert len(proposed) == self.samples
        assert len(set(proposed)) == len(proposed) or not self.distinct

    def test_it_learns_from_results_if_it_says_so(self) -> None:
        other_results = configs(finish(self.tuner(trainable=hill)))
        assert (other_results != self.undisturbed()) == self.learns

    def test_it_learns_from_a_warm_start_if_it_learns(self, tmp_path: Path) -> None:
        finish(self.tuner(storage_path=tmp_path, name="older", seed=2))
        results = finish(self.tuner(warm_start=[tmp_path / "older"]))
        assert len(results) == self.samples
        assert (configs(results) != self.undisturbed()) == self.learns

    @pytest.mark.parametrize("workers", [1, 4])
    def test_trials_may_fail_stop_or_report_nonsense(self, workers: int) -> None:
        results = finish(self.tuner(trainable=unreliable, workers=workers, stop={"training_iteration": 3}))
        assert len(results) == self.samples
        assert {trial.state for trial in results} == {"COMPLETED", "FAILED", "STOPPED"}

    def test_it_hears_of_trials_that_it_did_not_suggest(self) -> None:
        points = [{"lr": 0.1, "width": 7, "kind": "a", "optimizer": {"kind": "adam"}}, {"lr": 0.01}]
        results = finish(self.tuner(points_to_evaluate=points))
        assert len(results) == self.samples
        assert results[0].config == points[0]
        assert results[1].config["lr"] == 0.01

    def test_it_takes_over_from_another_searcher(self, tmp_path: Path) -> None:
        finish(self.tuner(searcher=FakeSearcher(), num_samples=5, storage_path=tmp_path, name="run"))
        results = finish(self.restore(tmp_path / "run", num_samples=self.samples))
        assert len(results) == self.samples

    def test_min_and_max_are_mirror_images(self) -> None:
        low, high = self.tuner(trainable=bowl, mode="min"), self.tuner(trainable=hill, mode="max")
        assert configs(finish(low)) == configs(finish(high))

    def test_a_metric_may_be_nested(self) -> None:
        results = finish(self.tuner(trainable=nested, metric="eval/the loss"))
        assert math.isfinite(results.get_best_result().metrics["eval"]["the loss"])
        assert configs(results) == self.undisturbed()

    def test_several_objectives_are_refused_or_handled(self) -> None:
        tuner = self.tuner(trainable=pair, metric=["loss", "size"], mode=["min", "max"])
        try:
            results = finish(tuner)
        except OptionError:
            return  # in setup, in the searcher's own words
        assert len(results) == self.samples

    # --- resuming ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("turns", [1, 2, 7, 12])
    def test_a_killed_run_goes_on_as_if_it_had_not_been(self, turns: int, workers: int, tmp_path: Path) -> None:
        image = killed(self.tuner(workers=workers, storage_path=tmp_path, name="run"), self.startup + turns, tmp_path)
        resumed = configs(finish(self.restore(image, executor=FakeExecutor(workers=workers))))
        if self.exact_resume:
            assert resumed == self.undisturbed(workers)
        else:
            assert len(resumed) == self.samples

    def test_a_killed_run_with_failed_trials_goes_on_as_if_it_had_not_been(self, tmp_path: Path) -> None:
        def tuner(**more: Any) -> Tuner:
            return self.tuner(trainable=unreliable, stop={"training_iteration": 3}, **more)

        image = killed(tuner(storage_path=tmp_path, name="run"), self.startup + 9, tmp_path)
        resumed = configs(finish(self.restore(image)))
        if self.exact_resume:
            assert resumed == configs(finish(tuner()))
        else:
            assert len(resumed) == self.samples

    def test_a_finished_run_can_be_extended(self, tmp_path: Path) -> None:
        finish(self.tuner(storage_path=tmp_path, name="run", num_samples=self.samples - 4))
        extended = configs(finish(self.restore(tmp_path / "run", num_samples=self.samples)))
        if self.exact_resume:
            assert extended == self.undisturbed()
        else:
            assert len(extended) == self.samples


def configs(results: ResultGrid) -> list[dict[str, Any]]:
    return [trial.config for trial in results]


def same_types(a: Any, b: Any) -> bool:
    """Equal, and of the very same types: no numpy number, no tuple, no subclass."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_types(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_types, a, b))
    return bool(a == b)


def _global_state() -> tuple[Any, ...]:
    state: tuple[Any, ...] = (random.getstate(),)
    if find_spec("numpy") is not None:
        import numpy

        state += (repr(numpy.random.get_state(legacy=False)),)
    return state
