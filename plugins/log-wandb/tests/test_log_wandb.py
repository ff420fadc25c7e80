"""What is in W&B's files, and that its service and its settings are left as they were."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

import microtune as mt
from microtune import Event, Facts, Limits, Objective, OptionError, RunError, Space, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_log_wandb import WandbLogger
from microtune_log_wandb import session as sessions
from microtune_log_wandb.courier import Courier

Read = Callable[[Path], Any]
Told = tuple[str, "str | None", dict[str, Any]]


def facts(path: Path) -> Facts:
    return Facts(
        id="0123abcd", name="run", path=str(path), seed=1, space=Space({"lr": uniform(0, 1)}),
        objective=Objective("loss", "min"), num_samples=2, limits=Limits(trials=2), resources={"cpu": 1}, trainable=print,
    )  # fmt: skip


def session(path: Path, *bodies: Told, **options: Any) -> None:
    path.mkdir(exist_ok=True)
    logger = WandbLogger(**options)
    logger.setup(facts(path))
    try:
        for seq, body in enumerate(bodies, start=1):
            logger.log(Event(seq, 100.0 + seq, *body))
    finally:
        logger.teardown()


def created(config: dict[str, Any], trial: str = "00000") -> Told:
    return "created", trial, {"number": int(trial), "config": config}


def result(iteration: int, trial: str = "00000", repeat: bool = False, **metrics: Any) -> Told:
    body = {"iteration": iteration, "metrics": metrics, "time_total_s": 1.5}
    return "result", trial, {**body, "repeat": True} if repeat else body


def ended(state: str, reason: str = "", trial: str = "00000", **more: Any) -> Told:
    return "ended", trial, {"state": state, "reason": reason, **more}


FAILURE = {"kind": "error", "message": "ValueError: x", "traceback": "Traceback:\nValueError: x"}


def test_a_result_is_a_row_at_its_iteration_and_the_time_of_its_event(tmp_path: Path, read: Read) -> None:
    session(tmp_path, created({}), result(1, loss=0.5, eval={"acc": 0.75}, note="x", list=[1]), result(2, loss=0.25))
    rows = [{k: v for k, v in row.items() if k != "_runtime"} for row in read(tmp_path)[0].rows]
    first = {"_step": 1, "training_iteration": 1, "_timestamp": 102, "time_total_s": 1.5}
    second = {"_step": 2, "training_iteration": 2, "_timestamp": 103, "time_total_s": 1.5}
    assert rows == [{**first, "loss": 0.5, "eval/acc": 0.75, "note": "x"}, {**second, "loss": 0.25}]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, 2**53, 0.1, 1e-300])
def test_a_number_is_kept(value: float, tmp_path: Path, read: Read) -> None:
    session(tmp_path, created({}), result(1, x=value))
    assert read(tmp_path)[0].rows[0]["x"] == pytest.approx(value, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(("value", "shown"), [(10**400, math.inf), (-(10**400), -math.inf), (10**30, 1e30)])
def test_a_large_integer_is_a_float(value: int, shown: float, tmp_path: Path, read: Read) -> None:
    session(tmp_path, created({}), result(1, x=value))
    assert read(tmp_path)[0].rows[0]["x"] == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("größe", "größe"), ("<b>", "<b>"), ("", "reported/"), ("_step", "reported/_step"), ("\ud800", "\\ud800")],
)
def test_a_metric_may_have_any_name(name: str, shown: str, tmp_path: Path, read: Read) -> None:
    session(tmp_path, created({}), result(1, **{name: 7.0}))
    row = read(tmp_path)[0].rows[0]
    assert (row[shown], row["_step"]) == (7.0, 1)


def test_a_value_that_was_reported_again_after_a_retry_is_there_once(tmp_path: Path, read: Read) -> None:
    again = result(1, repeat=True, loss=0.5)
    session(tmp_path, created({}), result(1, loss=0.5), again, result(2, loss=0.4))
    assert [row["_step"] for row in read(tmp_path)[0].rows] == [1, 2]


def test_a_run_of_wandbs_has_the_config_the_group_and_an_id_that_does_not_change(tmp_path: Path, read: Read) -> None:
    config = {"lr": 0.25, "opt": {"kind": "sgd", "_x": 1}, "sizes": [64, 32], "none": None}
    session(tmp_path, created(config, "00003"), project="p", entity="e", tags=["a", "b"])
    (written,) = read(tmp_path)
    run = written.run
    assert (written.id, run.run_id, run.display_name, run.run_group, run.project, run.entity, list(run.tags)) == (
        "0123abcd-00003", "0123abcd-00003", "run-00003", "run", "p", "e", ["a", "b"]
    )  # fmt: skip
    assert written.config["opt"] == {"kind": "sgd", "reported/_x": 1}
    assert (written.config["lr"], written.config["sizes"], written.config["none"]) == (0.25, [64, 32], None)


@pytest.mark.parametrize(
    ("end", "exit_code"),
    [(ended("COMPLETED", "completed"), 0), (ended("STOPPED", "rung 3"), 0), (ended("FAILED", "x", failure=FAILURE), 1)],
)
def test_how_a_trial_ended_is_its_exit_code_and_in_its_summary(
    end: Told, exit_code: int, tmp_path: Path, read: Read
) -> None:
    session(tmp_path, created({}), result(1, loss=0.5), end)
    (written,) = read(tmp_path)
    assert (written.exit_code, written.summary["microtune/state"]) == (exit_code, end[2]["state"])
    assert written.summary["microtune/reason"] == end[2]["reason"]
    assert written.summary.get("microtune/error") == ("error: Traceback:\nValueError: x" if exit_code else None)
    assert (written.summary["loss"], written.preempting) == (0.5, False)


def test_a_trial_that_is_not_over_when_the_run_ends_will_go_on(tmp_path: Path, read: Read) -> None:
    paused = ("decided", "00000", {"decision": "pause", "reason": "rung", "by": "x"})
    session(tmp_path, created({}), result(1, loss=0.5), paused)
    (written,) = read(tmp_path)
    assert (written.preempting, written.exit_code, written.summary["microtune/state"]) == (True, 1, "PAUSED")


def test_a_trial_that_goes_on_with_another_config_becomes_a_run_of_its_own(tmp_path: Path, read: Read) -> None:
    session(
        tmp_path, created({"lr": 0.5}), result(1, loss=4.0), result(2, loss=3.0),
        ("resumed", "00000", {"config": {"lr": 0.125}, "checkpoint": "./c", "iteration": 1}), result(2, loss=2.0),
        ended("COMPLETED", "completed"),
    )  # fmt: skip
    first, second = read(tmp_path)
    assert ([row["loss"] for row in first.rows], [row["loss"] for row in second.rows]) == ([4.0, 3.0], [2.0])
    assert (first.config["lr"], second.config["lr"], second.id) == (0.5, 0.125, "0123abcd-00000-line-2")
    assert first.summary["microtune/reason"] == "goes on in 0123abcd-00000-line-2"


def test_many_trials_run_at_once(tmp_path: Path, read: Read) -> None:
    trials = [f"{number:05d}" for number in range(20)]
    told = [result(step, trial, loss=float(step)) for step in (1, 2, 3) for trial in trials]
    session(tmp_path, *(created({}, trial) for trial in trials), *told)
    assert [(w.trial, [row["loss"] for row in w.rows]) for w in read(tmp_path)] == [
        (t, [1.0, 2.0, 3.0]) for t in trials
    ]


# --- its manners ---------------------------------------------------------------------------------------------------------


def test_a_machine_that_is_not_logged_in_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not logged in.*wandb login.*WANDB_API_KEY.*mode='offline'"):
        session(tmp_path, mode="online")
    assert "WANDB_SERVICE" not in os.environ


def test_a_machine_without_a_network_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9.*mode='offline'"):
        session(tmp_path, mode="online")
    assert "WANDB_SERVICE" not in os.environ


def test_an_option_that_is_no_mode_is_refused() -> None:
    with pytest.raises(OptionError, match="'online' or 'offline'"):
        WandbLogger(mode="of")


def test_the_services_of_the_program_are_left_alone(tmp_path: Path, read: Read) -> None:
    with wandb.init(mode="offline", dir=str(tmp_path), id="mine", settings=wandb.Settings(silent=True)) as mine:
        session(tmp_path / "run", created({}), result(1, loss=0.5))
        assert wandb.run is mine
        mine.log({"x": 1})
    wandb.teardown()
    by_id = {written.id: written for written in [*read(tmp_path), *read(tmp_path / "run")]}
    assert ([row["x"] for row in by_id["mine"].rows], len(by_id["0123abcd-00000"].rows)) == ([1], 1)


def test_when_the_run_is_over_so_is_the_service(tmp_path: Path) -> None:
    session(tmp_path, created({}), result(1, loss=0.5))
    assert "WANDB_SERVICE" not in os.environ
    assert wandb.run is None


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the service in the /proc of Linux")
def test_a_service_that_does_not_end_holds_nobody_up(monkeypatch, caplog) -> None:
    """As one that has lost its connection: here it is stopped."""
    monkeypatch.setattr(sessions, "_PATIENCE", 0.5)
    before, others = children(), threading.enumerate()
    mine = sessions.Session("offline")
    (service,) = children() - before
    os.kill(service, signal.SIGSTOP)
    try:
        mine.close()
        assert "W&B's service does not end" in caplog.text
    finally:
        os.kill(service, signal.SIGKILL)
        for thread in set(threading.enumerate()) - set(others):
            if thread.name == "wandb-teardown":
                thread.join(60)
    assert service not in children()


def children() -> set[int]:
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in lists for pid in each.read_text().split()}


def test_an_extended_run_leaves_its_finished_trials_alone(tmp_path: Path, read: Read) -> None:
    plugins: Callable[[], dict[str, Any]] = lambda: {  # noqa: E731
        "searcher": FakeSearcher(), "executor": FakeExecutor(workers=2), "loggers": [WandbLogger()]
    }  # fmt: skip
    mt.Tuner(
        train, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=2, storage_path=tmp_path, name="run",
        **plugins(),
    ).fit()  # fmt: skip
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").glob("wandb/offline-*/*.wandb")}
    mt.Tuner.restore(tmp_path / "run", train, num_samples=3, **plugins()).fit()
    assert {file: file.stat().st_mtime_ns for file in files} == files
    assert [(w.trial, len(w.rows)) for w in read(tmp_path / "run")] == [("00000", 2), ("00001", 2), ("00002", 2)]


def train(config: dict[str, Any]) -> None:
    for step in (1, 2):
        mt.report(loss=config["x"] / step)


def test_a_delivery_that_fails_is_raised_at_the_next_event_and_ends_the_deliveries() -> None:
    def deliver(events: list[Event]) -> None:
        raise OSError("no network")

    courier = Courier(deliver, room=1)
    event = Event(1, 0.0, "opened", None, {})
    with pytest.raises(OSError, match="no network"):  # noqa: PT012
        for _ in range(10):
            courier.send(event)
    with pytest.raises(OSError, match="no network"):
        courier.close(10)
