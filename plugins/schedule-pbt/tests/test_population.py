"""What the population does in runs that are less tidy than the paper's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune import Reader, hookimpl, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.contract import finish
from microtune_schedule_pbt import PBT


def walk(config: dict[str, Any]) -> None:
    """Goes on from its checkpoint; `last` is where the trial ends itself, by its number."""
    folder = mt.get_checkpoint()
    first = int((folder / "t").read_text()) if folder else 0
    for t in range(first + 1, LAST.get(mt.get_context().number, 30) + 1):
        draft = mt.checkpoint_dir()
        (draft / "t").write_text(str(t))
        mt.report(score=config["x"] + t, examples=100 * t, checkpoint=draft)


LAST: dict[int, int] = {}


@pytest.fixture(autouse=True)
def _nobody_ends_early() -> None:
    LAST.clear()


def tuner(path: Path, scheduler: Any, size: int = 4, trainable: Any = walk, **more: Any) -> mt.Tuner:
    given: dict[str, Any] = {
        "param_space": {"x": uniform(0, 1)}, "metric": "score", "mode": "max", "num_samples": size, "seed": 3, "name": "run",
        "storage_path": path, "loggers": (), "searcher": FakeSearcher(configs=[{"x": n / size} for n in range(size)]),
        "scheduler": scheduler, "executor": FakeExecutor(workers=size), "checkpoints": {"keep": 1}, **more,
    }  # fmt: skip
    return mt.Tuner(trainable, **given)


def events(results: mt.ResultGrid, *kinds: str) -> list[mt.Event]:
    return list(Reader(results.path).events(kinds=kinds))


def copied(results: mt.ResultGrid) -> list[tuple[str, str]]:
    """(copy, donor) of every exploit."""
    return [
        (event.trial or "", Path(event.body["checkpoint"]).parent.parent.name)
        for event in events(results, "resumed")
        if "checkpoint" in event.body
    ]


@pytest.mark.parametrize("synch", [False, True])
def test_a_trial_that_is_over_is_not_copied(synch: bool, tmp_path: Path) -> None:
    LAST[3] = 3
    found = copied(finish(tuner(tmp_path, PBT(perturbation_interval=5, synch=synch))))
    assert found
    assert "00003" not in {donor for _, donor in found}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_synchronous_members_all_arrive_before_one_goes_on(workers: int, tmp_path: Path) -> None:
    executor = FakeExecutor(workers=workers, duration=lambda config, iteration: 1 + config["x"])
    results = finish(tuner(tmp_path, PBT(perturbation_interval=5, synch=True), executor=executor))
    reached = dict.fromkeys(["00000", "00001", "00002", "00003"], 0)
    for event in events(results, "resumed", "result"):
        if event.kind == "result":
            reached[event.trial or ""] = event.body["iteration"]
        else:
            assert len({reached[event.trial or ""] // 5, min(reached.values()) // 5}) == 1, reached
    assert set(reached.values()) == {30}
    pauses = [event for event in events(results, "decided") if event.body["decision"] == "pause"]
    assert len(pauses) == 6 * 4


def test_a_synchronous_population_does_not_wait_for_those_that_end(tmp_path: Path) -> None:
    LAST.update({1: 7, 2: 12})
    results = finish(tuner(tmp_path, PBT(perturbation_interval=5, synch=True)))
    assert {trial.state for trial in results} == {"COMPLETED"}


@pytest.mark.parametrize(("time_attr", "interval"), [("examples", 500), ("time_total_s", 5), ("training_iteration", 5)])
@pytest.mark.parametrize("synch", [False, True])
def test_training_is_measured_in_what_was_asked_for(
    time_attr: str, interval: float, synch: bool, tmp_path: Path
) -> None:
    scheduler = PBT(perturbation_interval=interval, time_attr=time_attr, synch=synch)
    results = finish(tuner(tmp_path, scheduler))
    found = [event.body["iteration"] for event in events(results, "resumed") if "checkpoint" in event.body]
    assert len(found) >= 3
    if synch:
        assert all(iteration % 5 == 0 for iteration in found)


def test_a_metric_that_is_not_there_makes_nobody_ready(tmp_path: Path) -> None:
    results = finish(tuner(tmp_path, PBT(perturbation_interval=5, time_attr="epochs")))
    assert not events(results, "resumed")


def test_nobody_is_ready_in_the_burn_in_period(tmp_path: Path) -> None:
    results = finish(tuner(tmp_path, PBT(perturbation_interval=2, burn_in_period=11, synch=True)))
    reached = 0
    for event in events(results, "result", "decided"):
        if event.kind == "decided":
            assert reached >= 11
        reached = event.body.get("iteration", reached)


def test_who_reports_first_of_all_is_judged_when_the_others_have_come(tmp_path: Path) -> None:
    # All report at the same time, the worst one first: at that moment the others are one iteration behind it, and worse.
    results = finish(tuner(tmp_path, PBT(perturbation_interval=5, max_t=8)))
    assert copied(results) == [("00000", "00003")]


class Net(mt.Trainable):
    """The class API, with a warm object that takes other configs."""

    def setup(self, config: dict[str, Any]) -> None:
        self.t = 0

    def step(self) -> dict[str, Any]:
        self.t += 1
        return {"score": self.config["x"] + self.t, "done": self.t == 20}

    def save_checkpoint(self, folder: Path) -> None:
        (folder / "t").write_text(str(self.t))

    def load_checkpoint(self, folder: Path) -> None:
        self.t = int((folder / "t").read_text())

    def reset_config(self, config: dict[str, Any]) -> bool:
        self.t = 0
        return True


@pytest.mark.parametrize("workers", [1, 4])
def test_a_trainable_class_copies_too(workers: int, tmp_path: Path) -> None:
    keep = {"keep": 1, "every": 2}
    given = {"trainable": Net, "checkpoints": keep, "executor": FakeExecutor(workers=workers)}
    results = finish(tuner(tmp_path, PBT(perturbation_interval=5), **given))
    assert copied(results)
    assert not results.errors
    assert {trial.metrics["training_iteration"] for trial in results} == {20}


class Drains:
    """Ends the session at every so many results."""

    def __init__(self, every: int) -> None:
        self._every, self._heard = every, 0

    @hookimpl
    def on_result(self) -> None:
        self._heard += 1

    @hookimpl
    def decide(self) -> mt.StopRun | None:
        return None if self._heard % self._every else mt.StopRun("for today")


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("every", [3, 7, 10])
def test_a_run_that_is_ended_and_resumed_all_the_time_comes_to_its_end(every: int, synch: bool, tmp_path: Path) -> None:
    def fresh(**more: Any) -> dict[str, Any]:
        return {
            "scheduler": PBT(perturbation_interval=4, synch=synch), "executor": FakeExecutor(workers=2),
            "searcher": FakeSearcher(configs=[{"x": n / 4} for n in range(4)]), "stop": Drains(every), **more,
        }  # fmt: skip

    results = finish(tuner(tmp_path, **fresh()))
    for _ in range(60):
        assert results.closed is not None
        if results.closed["finished"]:
            break
        results = finish(mt.Tuner.restore(results.path, walk, **fresh()))
    assert results.closed is not None
    assert results.closed["finished"]
    assert [trial.metrics["training_iteration"] for trial in results] == [30] * 4


def test_it_keeps_nothing_of_generations_that_are_past(tmp_path: Path) -> None:
    scheduler = PBT(perturbation_interval=1, synch=True)
    run = tuner(tmp_path, scheduler).open()
    most = 0
    try:
        while run.step():
            most = max(most, len(scheduler._population._rankings))
    finally:
        run.close()
    assert 1 <= most <= 3


def test_pbt_does_without_numpy_and_pb2_says_that_it_cannot() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import microtune_schedule_pbt\n"
        "try:\n    import microtune_schedule_pbt.pb2\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert "pip install microtune-schedule-pbt[pb2]" in done.stdout
