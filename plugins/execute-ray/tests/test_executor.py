"""What is particular to Ray: its resources, its actors, and whose cluster it is."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import ray

import microtune as mt
from microtune.testing.fakes import FakeLogger, FakeSearcher
from microtune_execute_ray import RayExecutor

pytestmark = pytest.mark.usefixtures("cluster")


def pid(config: dict[str, Any]) -> dict[str, Any]:
    return {"loss": config["x"], "pid": os.getpid()}


def meeting(config: dict[str, Any]) -> dict[str, Any]:
    """Waits until as many trials as config["n"] are there at a time, and says what it sees."""
    folder = Path(config["folder"])
    (folder / mt.get_context().trial_id).touch()
    end = time.monotonic() + 60
    while len(list(folder.iterdir())) < config["n"] and time.monotonic() < end:
        time.sleep(0.02)
    return {
        "loss": 0.0, "met": len(list(folder.iterdir())) >= config["n"], "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }  # fmt: skip


@pytest.fixture
def meet(fit, tmp_path):
    def meet(n: int, **more: Any) -> list[dict[str, Any]]:
        folder = tmp_path / "meeting"
        folder.mkdir()
        results = fit(meeting, param_space={"x": mt.uniform(0, 1), "n": n, "folder": str(folder)}, num_samples=n, **more)
        assert [trial.metrics["met"] for trial in results] == [True] * n
        return [trial.metrics for trial in results]

    return meet


# --- workers -------------------------------------------------------------------------------------------------------------


def test_a_worker_is_kept_for_the_next_trial(fit):
    results = fit(pid, num_samples=10, max_concurrent_trials=1)
    assert len({trial.metrics["pid"] for trial in results}) == 1


def test_on_request_every_trial_has_a_worker_of_its_own(fit):
    results = fit(pid, num_samples=4, max_concurrent_trials=2, executor="ray:fresh=true")
    assert len({trial.metrics["pid"] for trial in results}) == 4


def test_a_worker_that_ran_out_of_memory_gets_no_other_trial(fit):
    def train(config):
        mt.report(loss=0.0, pid=os.getpid())
        if mt.get_context().number == 0:
            raise MemoryError("on purpose")

    first, second = fit(train, num_samples=2, max_concurrent_trials=1)
    assert first.state == "FAILED"
    assert first.metrics["pid"] != second.metrics["pid"]


def test_trials_run_in_the_main_thread(fit):
    def train(config):
        return {"loss": 0.0, "main": threading.current_thread() is threading.main_thread()}

    assert fit(train)[0].metrics["main"]


def test_a_worker_that_finds_no_place_holds_up_no_trial(fit):
    """Somebody else has three of the four CPUs."""

    @ray.remote(num_cpus=3)
    class Tenant:
        def there(self):
            return True

    tenant = Tenant.remote()
    assert ray.get(tenant.there.remote())
    results = fit(pid, num_samples=12)
    ray.kill(tenant)
    assert [trial.state for trial in results] == ["COMPLETED"] * 12
    assert len({trial.metrics["pid"] for trial in results}) == 1


def test_a_runtime_environment_reaches_the_trials(fit):
    def train(config):
        return {"loss": 0.0, "said": os.environ["GREETING"]}

    executor = RayExecutor(runtime_env={"env_vars": {"GREETING": "hello"}})
    assert fit(train, executor=executor)[0].metrics["said"] == "hello"


def test_a_trial_may_use_ray_and_objects_that_its_trainable_holds(fit):
    array = ray.put(list(range(100)))

    @ray.remote(num_cpus=0.5)
    def double(x):
        return 2 * x

    def train(config):
        return {"loss": float(sum(ray.get(array))), "doubled": ray.get(double.remote(21))}

    metrics = fit(train)[0].metrics
    assert (metrics["loss"], metrics["doubled"]) == (4950.0, 42)


# --- resources -----------------------------------------------------------------------------------------------------------


def test_half_a_gpu_is_shared_by_two_trials(meet):
    seen = [metrics["devices"] for metrics in meet(4, resources={"gpu": 0.5})]
    assert sorted(seen) == ["0", "0", "1", "1"]


def test_whole_gpus_are_shared_by_nobody(meet):
    assert sorted(metrics["devices"] for metrics in meet(2, resources={"gpu": 1})) == ["0", "1"]


def test_two_gpus_are_seen_by_the_trial_that_needs_two(meet):
    assert [metrics["devices"] for metrics in meet(1, resources={"gpu": 2})] == ["0,1"]


def test_only_so_many_trials_run_as_there_are_custom_resources_for(fit):
    logger = FakeLogger()
    fit(pid, num_samples=6, resources={"cpu": 0.1, "licence": 2}, loggers=[logger])
    running, most = 0, 0
    for event in logger.events:
        running += {"launched": 1, "ended": -1}.get(event.kind, 0)
        most = max(most, running)
    assert most == 1  # of three licences


def test_what_a_trial_needs_may_be_a_function_of_its_config(fit):
    def train(config):
        granted = ray.get_runtime_context().get_assigned_resources()
        return {"loss": 0.0, "resources": mt.get_context().resources, "granted": granted}

    space = {"cpus": mt.choice([1, 2]), "x": mt.uniform(0, 1)}
    executor = RayExecutor(trial_resources=lambda config: {"cpu": config["cpus"], "licence": 0.5})
    for trial in fit(train, param_space=space, num_samples=6, executor=executor):
        assert trial.metrics["resources"] == {"cpu": trial.config["cpus"], "licence": 0.5}
        assert trial.metrics["granted"] == {"CPU": trial.config["cpus"], "licence": 0.5}


def test_a_trial_that_can_never_fit_fails_and_the_others_run(fit):
    executor = RayExecutor(trial_resources=lambda config: {"gpu": config["gpus"]})
    searcher = FakeSearcher(configs=[{"x": 0.5, "gpus": 1}, {"x": 0.5, "gpus": 5}])
    space = {"x": mt.uniform(0, 1), "gpus": mt.choice([1, 5])}
    results = fit(pid, param_space=space, num_samples=2, searcher=searcher, executor=executor)
    assert sorted(trial.state for trial in results) == ["COMPLETED", "FAILED"]
    assert "needs cpu: 1, gpu: 5, and the nodes of the Ray cluster have cpu: 4, gpu: 2" in results.errors[0].error


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"tpu": 1}, "a trial needs cpu: 1, tpu: 1, and the nodes of the Ray cluster have cpu: 4, gpu: 2, licence: 3"),
        ({"memory": 1e15}, r"memory: 1e\+15"),
        ({"gpu": 1.5}, "gpu: 1.5, and Ray shares out fractions below one and whole numbers above"),
    ],
)
def test_what_can_never_fit_is_refused_with_what_there_is(resources, said, fit):
    with pytest.raises(mt.OptionError, match=said):
        fit(pid, resources=resources)


def test_bundles_are_a_placement_group_in_which_a_trial_starts_what_it_likes(fit, wait_for):
    @ray.remote(num_cpus=1)
    def inside():
        return ray.util.get_current_placement_group().id.hex()

    def train(config):
        return {"loss": 0.0, "mine": ray.util.get_current_placement_group().id.hex(), "its": ray.get(inside.remote())}

    executor = RayExecutor(trial_resources=[{"cpu": 1}, {"cpu": 1}], strategy="STRICT_PACK")
    results = fit(train, num_samples=4, executor=executor)
    assert all(trial.metrics["mine"] == trial.metrics["its"] for trial in results), [trial.error for trial in results]
    wait_for(lambda: ray.available_resources().get("CPU") == 4)


def test_a_trial_that_only_waits_for_what_it_starts_needs_a_bundle_for_that_alone(fit, wait_for):
    @ray.remote(num_cpus=2)
    def inside():
        return ray.util.get_current_placement_group().id.hex()

    def train(config):
        context = mt.get_context()
        return {"loss": 0.0, "mine": ray.util.get_current_placement_group().id.hex(), "its": ray.get(inside.remote()),
                "resources": context.resources}  # fmt: skip

    (trial,) = fit(train, executor=RayExecutor(trial_resources=[{"cpu": 0}, {"cpu": 2}]))
    assert trial.metrics["mine"] == trial.metrics["its"]
    assert trial.metrics["resources"] == {}
    wait_for(lambda: ray.available_resources().get("CPU") == 4)


def test_bundles_that_are_not_reserved_are_only_counted(fit, tmp_path):
    folder = tmp_path / "meeting"
    folder.mkdir()

    def train(config):
        began = time.monotonic()
        met = meeting({"n": 2, "folder": str(folder)})["met"]
        group = ray.util.get_current_placement_group()
        return {"loss": 0.0, "met": met, "grouped": group is not None, "began": began, "ended": time.monotonic()}

    executor = RayExecutor(trial_resources=[{"cpu": 0}, {"cpu": 1}, {"cpu": 1}], reserve=False)
    rows = [trial.metrics for trial in fit(train, num_samples=5, executor=executor)]
    assert all(row["met"] and not row["grouped"] for row in rows)
    at_a_time = [sum(other["began"] <= row["began"] < other["ended"] for other in rows) for row in rows]
    assert max(at_a_time) == 2


@pytest.mark.parametrize("needs", [[], {"cpu": -1}, [{"cpu": 1}, "gpu"], {"cpu": "two"}])
def test_needs_that_are_none_are_refused(needs, fit):
    with pytest.raises(mt.OptionError, match="cannot need"):
        fit(pid, executor=RayExecutor(trial_resources=needs))


def test_needs_that_are_none_end_the_run_where_they_come_from_a_function(fit):
    with pytest.raises(mt.RunError, match="a trial cannot need 'much'"):
        fit(pid, executor=RayExecutor(trial_resources=lambda config: "much"))


# --- whose cluster it is -------------------------------------------------------------------------------------------------


def test_the_callers_ray_survives_and_has_all_its_resources_back(fit, wait_for):
    fit(pid, num_samples=4)
    assert ray.is_initialized()
    wait_for(lambda: ray.available_resources().get("CPU") == 4)


def test_checkpoints_in_the_memory_of_one_process_are_refused(fit, tmp_path, monkeypatch):
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path))
    with pytest.raises(mt.OptionError, match="is within one process, and executor 'ray' has several"):
        fit(pid, storage_path="memory://bucket")


@pytest.mark.parametrize("options", [{"address": "auto"}, {"init": {"num_cpus": 2}}], ids=["address", "init"])
def test_arguments_for_ray_init_are_refused_where_it_was_called(options, fit):
    with pytest.raises(mt.OptionError, match=r"which this program has called already: leave them out"):
        fit(pid, executor=RayExecutor(**options))


def test_a_trainable_that_cannot_travel_is_refused_with_the_name_of_the_culprit(fit):
    lock = threading.Lock()

    def train(config):
        with lock:
            return 1.0

    with pytest.raises(mt.OptionError, match=r"the trainable 'train' uses 'lock' \(a _thread.lock\).*create it inside"):
        fit(train)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(mt.OptionError, match="strategy='TIGHT', and it can be PACK, SPREAD, STRICT_PACK, STRICT_SPREAD"):
        RayExecutor(strategy="TIGHT")
