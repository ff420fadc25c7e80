"""What is in MLflow, read with its own client, and that it is there once."""

from __future__ import annotations

import math
import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from microtune import Event, Facts, Limits, Objective, OptionError, RunError, Space, uniform
from microtune_log_mlflow import MLflowLogger, entries
from microtune_log_mlflow.courier import Courier
from microtune_log_mlflow.page import METRICS

Told = tuple[str, "str | None", dict[str, Any]]


@pytest.fixture(scope="module", name="uri")
def _uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all tests, since MLflow takes seconds to make one; each test has its own experiment there."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


class Session:
    """A run that is told events, under a name that no other test has."""

    def __init__(self, uri: str, name: str, path: Path) -> None:
        self.client = MlflowClient(uri)
        self.uri, self.name, self.path = uri, name, path

    def tell(self, *bodies: Told, **options: Any) -> None:
        logger = MLflowLogger(tracking_uri=self.uri, **options)
        logger.setup(self.facts())
        try:
            for seq, body in enumerate(bodies, start=1):
                logger.log(Event(seq, 100.0 + seq, *body))
        finally:
            logger.teardown()

    def facts(self) -> Facts:
        return Facts(
            id=self.name, name=self.name, path=str(self.path), seed=1, space=Space({"lr": uniform(0, 1)}),
            objective=Objective("loss", "min"), num_samples=2, limits=Limits(trials=2), resources={"cpu": 1}, trainable=print,
        )  # fmt: skip

    def runs(self, experiment: str | None = None) -> dict[str, Run]:
        found = self.client.get_experiment_by_name(experiment or self.name)
        return {run.info.run_name: run for run in self.client.search_runs([found.experiment_id])}

    def history(self, metric: str, name: str = "00000") -> list[tuple[int, int, float]]:
        found = self.client.get_metric_history(self.runs()[name].info.run_id, metric)
        return sorted((each.timestamp, each.step, each.value) for each in found)


@pytest.fixture(name="run")
def _run(uri: str, request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    return Session(uri, request.node.name, tmp_path)


def created(config: dict[str, Any], trial: str = "00000") -> Told:
    return "created", trial, {"number": int(trial), "config": config}


def result(iteration: int, trial: str = "00000", repeat: bool = False, **metrics: Any) -> Told:
    body = {"iteration": iteration, "metrics": metrics, "time_total_s": 1.5}
    return "result", trial, {**body, "repeat": True} if repeat else body


def ended(state: str, reason: str = "", trial: str = "00000", **more: Any) -> Told:
    return "ended", trial, {"state": state, "reason": reason, **more}


def launched(attempt: int = 1, trial: str = "00000") -> Told:
    return "launched", trial, {"attempt": attempt}


FAILURE = {"kind": "error", "message": "ValueError: x", "traceback": "Traceback:\nValueError: x"}
OPENED = (
    "opened",
    None,
    {"settings": {"metric": "loss", "mode": "min", "plugins": [{"role": "searcher", "name": "tpe"}]}},
)
CLOSED = ("closed", None, {"reason": "done", "finished": True})


def test_a_metric_is_there_at_its_iteration_and_the_time_of_its_event(run: Session) -> None:
    run.tell(created({}), result(1, loss=0.5, eval={"acc": 0.75}, note="x"), result(2, loss=0.25, yes=True))
    assert run.history("loss") == [(102_000, 1, 0.5), (103_000, 2, 0.25)]
    assert run.history("time_total_s") == [(102_000, 1, 1.5), (103_000, 2, 1.5)]
    assert run.runs()["00000"].data.metrics == {"loss": 0.25, "eval/acc": 0.75, "yes": 1.0, "time_total_s": 1.5}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, 0.1),
        (math.nan, math.nan),
        (math.inf, sys.float_info.max),  # which is how MLflow's databases keep it
        (-math.inf, -sys.float_info.max),
        (10**400, sys.float_info.max),
    ],
    ids=["0.1", "nan", "inf", "-inf", "10**400"],
)
def test_a_number_is_kept_in_double_precision(value: float, shown: float, run: Session) -> None:
    run.tell(created({}), result(1, x=value))
    assert [each[2] for each in run.history("x")] == [pytest.approx(shown, rel=0, abs=0, nan_ok=True)]


@pytest.mark.parametrize(
    "name", ["", "größe", "a b", "<script>", "\ud800", "/a", "a//b", "../x", ".", "a/", "x" * 300, "a\nb", "%"]
)
def test_a_name_of_any_kind_is_taken_and_told_from_its_likes(name: str, run: Session) -> None:
    run.tell(created({name: 1, "<scribt>": 2}), result(1, **{name: 1.0, "<scribt>": 2.0}))
    data = run.runs()["00000"].data
    assert sorted(data.params.values()) == ["1", "2"]
    assert sorted(data.metrics.values()) == [1.0, 1.5, 2.0]


def test_two_names_that_become_one_are_both_kept() -> None:
    found = {param.key: param.value for param in entries.params({"a": {"b": 1}, "a/b": 2, "a/b 2": 3})}
    assert found == {"a/b": "1", "a/b 2": "2", "a/b 2 2": "3"}


def test_a_config_is_params_with_nested_names_joined(run: Session) -> None:
    run.tell(
        created(
            {"lr": 0.25, "opt": {"kind": "sgd", "nesterov": True}, "sizes": [64, 32], "none": None, "long": "x" * 7000}
        )
    )
    params = run.runs()["00000"].data.params
    assert params.pop("long") == "x" * 5997 + "..."
    assert params == {"lr": "0.25", "opt/kind": "sgd", "opt/nesterov": "True", "sizes": "[64, 32]", "none": "None"}


def test_more_than_mlflow_takes_at_once_is_written_in_parts(run: Session) -> None:
    wide = {f"m{number}": float(number) for number in range(2 * METRICS + 7)}
    run.tell(created({f"p{number}": number for number in range(250)}), result(1, **wide))
    data = run.runs()["00000"].data
    assert (len(data.params), len(data.metrics)) == (250, 2 * METRICS + 7 + 1)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ended("COMPLETED", "completed"), "FINISHED"),
        (ended("STOPPED", "rung 3"), "KILLED"),
        (ended("STOPPED", "training_iteration reached max_t=9", finished=True), "FINISHED"),
        (ended("FAILED", "ValueError: x", failure=FAILURE), "FAILED"),
    ],
    ids=["completed", "cut short", "stopped", "failed"],
)
def test_how_a_trial_ended_is_its_status_and_in_its_tags(end: Told, status: str, run: Session) -> None:
    run.tell(created({}), launched(), result(1, loss=0.5), end)
    found = run.runs()["00000"]
    assert (found.info.status, found.info.start_time, found.info.end_time) == (status, 101_000, 104_000)
    assert (found.data.tags["microtune.state"], found.data.tags["microtune.reason"]) == (
        end[2]["state"],
        end[2]["reason"],
    )
    assert found.data.tags.get("microtune.error") == (
        "error: Traceback:\nValueError: x" if status == "FAILED" else None
    )


def test_of_a_long_traceback_the_end_is_kept(run: Session) -> None:
    failure = {"kind": "error", "message": "m", "traceback": "a" * 9000 + "the end"}
    run.tell(created({}), ended("FAILED", "x", failure=failure))
    text = run.runs()["00000"].data.tags["microtune.error"]
    assert (len(text), text[:4], text[-8:]) == (8000, "...a", "athe end")


def test_trials_are_nested_in_the_run_and_both_have_the_tags(run: Session) -> None:
    run.tell(OPENED, created({}), created({}, "00001"), CLOSED, experiment="mine", tags={"team": "a"})
    runs = run.runs("mine")
    parent = runs[run.name]
    assert set(runs) == {run.name, "00000", "00001"}
    assert {runs[name].data.tags["mlflow.parentRunId"] for name in ("00000", "00001")} == {parent.info.run_id}
    assert {each.data.tags["team"] for each in runs.values()} == {"a"}
    assert (parent.info.status, parent.info.end_time, parent.data.tags["microtune.searcher"]) == (
        "FINISHED",
        104_000,
        "tpe",
    )


@pytest.mark.parametrize(
    ("closed", "status"),
    [
        ({"reason": "SIGINT", "finished": False}, "KILLED"),
        ({"reason": "E", "finished": False, "error": "no"}, "FAILED"),
    ],
)
def test_a_run_that_ended_early_says_so(closed: dict[str, Any], status: str, run: Session) -> None:
    run.tell(OPENED, ("closed", None, closed))
    parent = run.runs()[run.name]
    assert (parent.info.status, parent.data.tags["microtune.reason"]) == (status, closed["reason"])


def test_a_trial_that_waits_is_scheduled_and_one_that_is_retried_stays_one_run(run: Session) -> None:
    told = [
        created({}), launched(), result(1, loss=0.5),
        ("interrupted", "00000", {"reason": "ValueError: x", "failure": FAILURE}),
    ]  # fmt: skip
    run.tell(*told)
    waiting = run.runs()["00000"]
    assert (waiting.info.status, waiting.data.tags["microtune.state"]) == ("SCHEDULED", "PENDING")
    again = Session(run.uri, f"{run.name} again", run.path)
    again.tell(*told, launched(2), result(1, repeat=True, loss=0.5), result(2, loss=0.25))
    assert set(again.runs()) == {again.name, "00000"}
    assert [each[1:] for each in again.history("loss")] == [(1, 0.5), (2, 0.25)]
    assert again.runs()["00000"].info.status == "RUNNING"
    assert again.runs()["00000"].data.tags["microtune.error"].endswith("ValueError: x")


def test_a_trial_that_goes_on_with_another_config_becomes_a_run_of_its_own(run: Session) -> None:
    resumed = ("resumed", "00000", {"config": {"lr": 0.125}, "checkpoint": "./c", "iteration": 1})
    run.tell(created({"lr": 0.5}), result(1, loss=4.0), result(2, loss=3.0), resumed, result(2, loss=2.0), CLOSED)
    runs = run.runs()
    first, second = runs["00000"], runs["00000/line-2"]
    assert (first.data.params, second.data.params) == ({"lr": "0.5"}, {"lr": "0.125"})
    assert [each[1:] for each in run.history("loss")] == [(1, 4.0), (2, 3.0)]
    assert [each[1:] for each in run.history("loss", "00000/line-2")] == [(2, 2.0)]
    assert (first.info.status, second.data.tags["mlflow.parentRunId"]) == ("KILLED", runs[run.name].info.run_id)


# --- checkpoints ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("artifacts", "kept"),
    [("none", set()), ("best", {"2-1"}), ("last", {"3-1"}), ("all", {"1-1", "2-1", "3-1"})],
)
def test_the_checkpoints_that_were_asked_for_are_artifacts(artifacts: str, kept: set[str], run: Session) -> None:
    told = [created({})]
    for step, loss in ((1, 0.5), (2, 0.1), (3, 0.3)):
        path = run.path / f"{step}-1"
        path.mkdir()
        (path / "weights").write_text(str(loss))
        checkpoint = {"iteration": step, "path": str(path)}
        told += [
            ("checkpoint", "00000", checkpoint),
            ("result", "00000", {**result(step, loss=loss)[2], "checkpoint": str(path)}),
        ]
    run.client.create_experiment(run.name, artifact_location=(run.path / "artifacts").as_uri())
    run.tell(*told, ended("COMPLETED"), artifacts=artifacts)
    found = {
        file.parent.name: file.read_text() for file in run.path.glob("artifacts/*/artifacts/checkpoints/*/weights")
    }
    assert found == {name: {"1-1": "0.5", "2-1": "0.1", "3-1": "0.3"}[name] for name in kept}


def test_a_checkpoint_that_is_gone_before_its_upload_is_left_out(run: Session) -> None:
    gone = str(run.path / "1-1")
    run.tell(created({}), ("checkpoint", "00000", {"iteration": 1, "path": gone}), ended("COMPLETED"), artifacts="all")
    assert run.runs()["00000"].info.status == "FINISHED"


def test_an_option_that_is_no_choice_is_refused() -> None:
    with pytest.raises(OptionError, match="none, best, last, all"):
        MLflowLogger(artifacts="first")


# --- its manners ---------------------------------------------------------------------------------------------------------


def test_the_programs_own_run_and_place_are_left_alone(uri: str, run: Session) -> None:
    assert not mlflow.is_tracking_uri_set()
    mlflow.set_tracking_uri(uri)
    try:
        with mlflow.start_run() as mine:
            session = MLflowLogger()  # goes where the program does
            session.setup(run.facts())
            session.log(Event(1, 1.0, *created({})))
            assert mlflow.active_run().info.run_id == mine.info.run_id
            session.teardown()
        assert mlflow.get_tracking_uri() == uri
        assert set(run.runs()) == {run.name, "00000"}
    finally:
        mlflow.set_tracking_uri(None)


def test_without_a_place_it_is_the_folder_of_the_run(run: Session, capfd: pytest.CaptureFixture[str]) -> None:
    logger = MLflowLogger()
    logger.setup(run.facts())
    logger.teardown()
    assert (run.path / "mlflow" / "mlflow.db").exists()
    assert (*capfd.readouterr(), mlflow.is_tracking_uri_set()) == ("", "", False)


def test_a_link_out_of_the_run_is_not_followed(run: Session, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (run.path / "mlflow").mkdir()
    (run.path / "mlflow" / "mlflow.db").symlink_to(outside / "db")
    with pytest.raises(RunError, match="leads out of the run"):
        MLflowLogger().setup(run.facts())
    assert list(outside.iterdir()) == []


def test_a_server_that_is_not_there_refuses_the_run_and_says_what_to_do(run: Session) -> None:
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9.*tracking_uri"):
        MLflowLogger(tracking_uri="http://127.0.0.1:9").setup(run.facts())


def test_an_experiment_that_was_deleted_says_how_to_restore_it(run: Session) -> None:
    run.client.delete_experiment(run.client.create_experiment(run.name))
    with pytest.raises(RunError, match="was deleted: restore it"):
        run.tell(OPENED)


def test_events_wait_for_a_slow_place_and_then_the_run_does() -> None:
    delivered: list[int] = []
    go, begun = threading.Event(), threading.Event()

    def deliver(events: list[Event]) -> None:
        begun.set()
        go.wait(30)
        delivered.extend(event.seq for event in events)

    courier = Courier(deliver, room=3)
    courier.send(event(1))
    assert begun.wait(30)
    for seq in (2, 3, 4):  # all that there is room for while the first is under way
        courier.send(event(seq))
    fifth = threading.Thread(target=courier.send, args=(event(5),))
    fifth.start()
    fifth.join(0.2)
    assert fifth.is_alive()
    go.set()
    fifth.join(30)
    assert courier.close(30) == 0
    assert delivered == [1, 2, 3, 4, 5]


def test_what_cannot_be_delivered_in_time_is_counted() -> None:
    go = threading.Event()
    courier = Courier(lambda events: go.wait(30) and None, room=3)
    courier.send(event(1))
    courier.send(event(2))
    assert courier.close(0.1) == 2
    go.set()


def test_a_delivery_that_fails_is_raised_at_the_next_event() -> None:
    def deliver(events: list[Event]) -> None:
        raise OSError("no network")

    courier = Courier(deliver, room=1)
    with pytest.raises(OSError, match="no network"):  # noqa: PT012
        for seq in range(1, 10):
            courier.send(event(seq))
    with pytest.raises(OSError, match="no network"):
        courier.close(10)


def event(seq: int) -> Event:
    return Event(seq, 0.0, "opened", None, {})
