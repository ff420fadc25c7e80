from __future__ import annotations

import pytest

from microtune import OptionError
from microtune_execute_ray.needs import Need, actor_options


def test_a_trial_needs_one_cpu_unless_it_says_otherwise():
    assert Need.of({}) == Need.of({"cpu": 1})
    assert Need.of({"gpu": 0.5}).own == {"cpu": 1, "gpu": 0.5}
    assert Need.of({"cpu": 0, "gpu": 1}).own == {"gpu": 1}


def test_equal_needs_are_equal_however_they_are_written():
    assert Need.of({"gpu": 1, "cpu": 2}) == Need.of([{"cpu": 2.0, "gpu": 1, "licence": 0}])
    assert hash(Need.of({"gpu": 1, "cpu": 2})) == hash(Need.of({"cpu": 2, "gpu": 1}))


def test_the_further_bundles_are_as_they_are():
    need = Need.of([{}, {"gpu": 1}, {"cpu": 3, "gpu": 1}])
    assert need.own == {"cpu": 1}
    assert need.total == {"cpu": 4, "gpu": 2}
    assert str(need) == "cpu: 1 + gpu: 1 + cpu: 3, gpu: 1"


def test_ray_is_asked_in_its_own_words():
    assert actor_options({"cpu": 2, "gpu": 0.5, "memory": 1e9, "licence": 1}) == {
        "num_cpus": 2, "num_gpus": 0.5, "memory": 1e9, "resources": {"licence": 1},
    }  # fmt: skip
    assert actor_options({}) == {"num_cpus": 0, "num_gpus": 0, "resources": {}}


@pytest.mark.parametrize("resources", [[], [[]], {"cpu": -1}, {"cpu": True}, {"cpu": "1"}, {"cpu": float("nan")}, [{}, 2]])
def test_what_is_no_amount_is_refused(resources):
    with pytest.raises(OptionError, match="a trial cannot need"):
        Need.of(resources)
