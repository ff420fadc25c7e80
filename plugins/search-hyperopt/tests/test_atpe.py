"""Of the contract what another algorithm can break: a suggestion of atpe takes 50 ms, and the whole contract a minute."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from microtune import Tuner, uniform
from microtune.testing import FakeExecutor, SearcherContract
from microtune.testing.spaces import SPACES
from microtune_search_hyperopt import HyperoptSearch

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in ("lightgbm", "sklearn")), reason="atpe needs lightgbm and scikit-learn"
)


class Atpe(SearcherContract):
    plugin = "hyperopt"
    options = {"algo": "atpe"}


@pytest.mark.parametrize("name", list(SPACES))
def test_every_kind_of_domain_gives_plain_configs_of_the_space(name):
    Atpe().test_every_kind_of_domain_gives_plain_configs_of_the_space(name)


def test_global_generators_are_left_alone_and_mean_nothing():
    Atpe().test_global_generators_are_left_alone_and_mean_nothing()


@pytest.mark.parametrize("workers", [1, 4])
def test_trials_may_fail_stop_or_report_nonsense(workers):
    Atpe().test_trials_may_fail_stop_or_report_nonsense(workers)


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path):
    Atpe().test_a_killed_run_goes_on_as_if_it_had_not_been(7, 3, tmp_path)


def test_it_finds_more_than_random_search_would():
    results = Tuner(
        lambda config: {"loss": (config["x"] - 0.3) ** 2}, param_space={"x": uniform(-100, 100)}, metric="loss", mode="min",
        num_samples=24, searcher=HyperoptSearch(algo="atpe"), executor=FakeExecutor(), loggers=(), seed=1,
        storage_path=":memory:",
    ).fit()  # fmt: skip
    assert sum(abs(trial.config["x"]) < 30 for trial in results) > 12, "in random search it would be 7 of 24"
