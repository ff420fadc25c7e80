"""The event files, as TensorBoard's own readers see them: what is in them, and that it is there exactly once."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray

from microtune import Event, Facts, Limits, Objective, RunError, Space, uniform
from microtune_log_tensorboard import TensorBoardLogger
from microtune_log_tensorboard.curves import OPEN

FILE = "events.out.tfevents.microtune"


def facts(path: Path, resumed: bool = False) -> Facts:
    return Facts(
        id="r", name="run", path=str(path), seed=1, space=Space({"lr": uniform(0, 1)}), objective=Objective("loss", "min"),
        num_samples=2, limits=Limits(trials=2), resources={"cpu": 1}, trainable=print, resumed=resumed,
    )  # fmt: skip


def session(path: Path, events: list[Event], resumed: bool = False) -> None:
    logger = TensorBoardLogger()
    logger.setup(facts(path, resumed))
    try:
        for event in events:
            logger.log(event)
    finally:
        logger.teardown()


def told(*bodies: tuple[str, str | None, dict[str, Any]], first: int = 1) -> list[Event]:
    return [Event(seq, 100 + seq / 8, *body) for seq, body in enumerate(bodies, start=first)]


def created(config: dict[str, Any], trial: str = "00000") -> tuple[str, str, dict[str, Any]]:
    return "created", trial, {"number": int(trial), "config": config}


def result(
    iteration: int, trial: str = "00000", repeat: bool = False, **metrics: Any
) -> tuple[str, str, dict[str, Any]]:
    body = {"iteration": iteration, "metrics": metrics, "time_total_s": 1.0}
    return "result", trial, {**body, "repeat": True} if repeat else body


def a_run() -> list[Event]:
    """Two trials: one fails, is retried and stopped; one is paused, and goes on with another config from an earlier step."""
    failure = {"kind": "error", "message": "ValueError: x", "traceback": 'Traceback:\n  File "a.py"\nValueError: x'}
    return told(
        ("opened", None, {"settings": {}}),
        created({"lr": 0.25, "opt": {"kind": "sgd", "nesterov": True}, "sizes": [64, 32], "none": None}),
        ("launched", "00000", {"attempt": 1}),
        created({"lr": 0.5}, "00001"),
        ("launched", "00001", {"attempt": 1}),
        result(1, loss=0.5, eval={"acc": 0.75}, note="x"),
        result(1, "00001", loss=4.0),
        ("checkpoint", "00001", {"iteration": 1, "path": "./c"}),
        result(2, "00001", loss=3.0),
        ("interrupted", "00000", {"reason": "ValueError: x", "failure": failure}),
        ("launched", "00000", {"attempt": 2}),
        result(1, loss=0.5, repeat=True),
        result(2, loss=math.nan, yes=True),
        ("decided", "00001", {"decision": "pause", "reason": "exploit", "by": "pbt"}),
        ("ended", "00000", {"state": "STOPPED", "reason": "bad"}),
        ("deleted", "00000", {"path": "./d"}),
        ("resumed", "00001", {"config": {"lr": 0.125}, "checkpoint": "./c", "iteration": 1}),
        ("launched", "00001", {"attempt": 2}),
        result(2, "00001", loss=2.0),
        (
            "ended",
            "00001",
            {"state": "FAILED", "reason": "no worker", "failure": {"kind": "lost", "message": "no worker"}},
        ),
        ("closed", None, {"reason": "done", "finished": True}),
    )


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.parent.relative_to(path)): file.read_bytes() for file in path.rglob(FILE)}


def read(path: Path, name: str = "00000") -> EventAccumulator:
    sizes = {"scalars": 0, "tensors": 0}
    return EventAccumulator(str(path / "tensorboard" / name), size_guidance=sizes).Reload()


def scalars(path: Path, tag: str, name: str = "00000") -> list[tuple[float, int, float]]:
    return [(point.wall_time, point.step, point.value) for point in read(path, name).Scalars(tag)]


def hparams(path: Path, name: str = "00000") -> plugin_data_pb2.SessionStartInfo:
    content = read(path, name).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    return metadata.parse_session_start_info_plugin_data(content)


def end(path: Path, name: str = "00000") -> plugin_data_pb2.SessionEndInfo:
    content = read(path, name).SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    return metadata.parse_session_end_info_plugin_data(content)


def texts(path: Path, tag: str, name: str = "00000") -> list[tuple[int, str]]:
    return [(each.step, make_ndarray(each.tensor_proto).item().decode()) for each in read(path, name).Tensors(tag)]


# --- what is in the files ------------------------------------------------------------------------------------------------


def test_each_number_is_a_scalar_at_its_iteration_and_the_time_of_its_event(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    assert scalars(tmp_path, "eval/acc") == [(100 + 6 / 8, 1, 0.75)]
    assert scalars(tmp_path, "loss", "00001") == [(100 + 7 / 8, 1, 4.0), (100 + 9 / 8, 2, 3.0)]
    assert scalars(tmp_path, "yes") == [(100 + 13 / 8, 2, 1.0)]
    assert set(read(tmp_path).Tags()["scalars"]) == {"loss", "eval/acc", "yes"}


def test_a_value_that_was_reported_again_after_a_retry_is_there_once(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    assert [step for _, step, _ in scalars(tmp_path, "loss")] == [1, 2]
    assert math.isnan(scalars(tmp_path, "loss")[1][2])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, np.float32(0.1)),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (1e300, math.inf),
        (2**53, 2**53),
        (False, 0),
    ],
    ids=["0.1", "10**400", "-10**400", "1e300", "2**53", "False"],
)
def test_a_number_is_kept_in_single_precision(tmp_path: Path, value: float, shown: float) -> None:
    session(tmp_path, told(created({}), result(1, x=value)))
    assert [each[2] for each in scalars(tmp_path, "x")] == [shown]


@pytest.mark.parametrize("name", ["", "größe", "a b", "<script>", "\ud800"])
def test_a_metric_may_have_any_name(tmp_path: Path, name: str) -> None:
    session(tmp_path, told(created({name: 1}), result(1, **{name: 1.0})))
    shown = name.encode("utf-8", "backslashreplace").decode()
    assert read(tmp_path).Tags()["scalars"] == [shown]
    assert list(hparams(tmp_path).hparams) == [shown]


def test_a_config_is_a_row_of_hparams_with_nested_names_joined(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    row = hparams(tmp_path)
    assert {name: value.WhichOneof("kind") for name, value in row.hparams.items()} == {
        "lr": "number_value", "opt/kind": "string_value", "opt/nesterov": "bool_value", "sizes": "string_value",
    }  # fmt: skip
    assert row.hparams["lr"].number_value == 0.25
    assert row.hparams["opt/kind"].string_value == "sgd"
    assert row.hparams["sizes"].string_value == "[64, 32]"
    assert (row.group_name, row.start_time_secs) == ("00000", 100 + 2 / 8)


def test_a_number_that_json_lacks_is_a_text_in_hparams(tmp_path: Path) -> None:
    session(tmp_path, told(created({"a": math.inf, "b": math.nan, "c": 10**400})))
    assert {name: value.string_value for name, value in hparams(tmp_path).hparams.items()} == {
        "a": "inf", "b": "nan", "c": str(10**400),
    }  # fmt: skip


def test_a_row_of_hparams_says_how_and_when_the_trial_ended(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    assert (end(tmp_path).status, end(tmp_path).end_time_secs) == (api_pb2.STATUS_SUCCESS, 100 + 15 / 8)
    assert end(tmp_path, "00001/line-2").status == api_pb2.STATUS_FAILURE


def test_a_traceback_is_text_at_the_iteration_of_its_failure_and_shown_as_it_is(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    text = '**error**\n\n    Traceback:\n      File "a.py"\n    ValueError: x'
    assert texts(tmp_path, "error") == [(1, text)]
    assert read(tmp_path).SummaryMetadata("error").plugin_data.plugin_name == "text"
    assert texts(tmp_path, "error", "00001/line-2") == [(2, "**lost**\n\n    no worker")]


def test_a_trial_that_goes_on_with_another_config_becomes_a_run_of_its_own(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    assert set(contents(tmp_path)) == {"tensorboard/00000", "tensorboard/00001", "tensorboard/00001/line-2"}
    assert [each[1:] for each in scalars(tmp_path, "loss", "00001")] == [(1, 4.0), (2, 3.0)]
    assert [each[1:] for each in scalars(tmp_path, "loss", "00001/line-2")] == [(2, 2.0)]
    assert hparams(tmp_path, "00001").hparams["lr"].number_value == 0.5
    second = hparams(tmp_path, "00001/line-2")
    assert (second.hparams["lr"].number_value, second.group_name) == (0.125, "00001/line-2")


def test_a_trial_that_goes_back_to_a_checkpoint_with_its_config_loses_what_came_after(tmp_path: Path) -> None:
    resumed = ("resumed", "00000", {"checkpoint": "./c", "iteration": 1})
    session(tmp_path, told(created({"lr": 1}), result(1, loss=1.0), result(2, loss=2.0), resumed, result(2, loss=3.0)))
    assert [each[1:] for each in scalars(tmp_path, "loss")] == [(1, 1.0), (2, 3.0)]
    assert hparams(tmp_path).hparams["lr"].number_value == 1


def test_a_promoted_trial_goes_on_in_its_curve(tmp_path: Path) -> None:
    session(tmp_path, told(created({"lr": 1}), result(1, loss=1.0), ("resumed", "00000", {}), result(2, loss=2.0)))
    assert [each[1] for each in scalars(tmp_path, "loss")] == [1, 2]


def test_a_virtual_clock_may_begin_at_zero(tmp_path: Path) -> None:
    events = told(
        created({"lr": 1}), result(1, loss=1.0), ("ended", "00000", {"state": "COMPLETED", "reason": "completed"})
    )
    session(tmp_path, [event._replace(at=0.0) for event in events])
    assert scalars(tmp_path, "loss") == [(0.0, 1, 1.0)]
    assert (hparams(tmp_path).start_time_secs, end(tmp_path).end_time_secs) == (0, 0)


# --- that it is there once -----------------------------------------------------------------------------------------------


def test_an_event_is_in_the_file_before_log_returns(tmp_path: Path) -> None:
    logger = TensorBoardLogger()
    logger.setup(facts(tmp_path))
    for event in told(created({}), result(1, loss=1.0)):
        logger.log(event)
    assert len(scalars(tmp_path, "loss")) == 1
    logger.teardown()


def test_cut_anywhere_and_told_again_the_files_are_as_if_nothing_had_happened(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    whole = contents(tmp_path / "whole")
    cuts = [(name, size) for name in whole for size in range(0, len(whole[name]) + 1, 3)]
    for seed, (name, size) in enumerate(cuts):
        path = tmp_path / str(seed)
        for other, data in whole.items():
            if not other.startswith(f"{name}/"):  # the next line begins when this one is whole
                (path / other).mkdir(parents=True, exist_ok=True)
                (path / other / FILE).write_bytes(data[:size] if other == name else data)
        session(path, events[random.Random(seed).randint(0, 1) :], resumed=True)
        assert contents(path) == whole, (name, size)


def test_killed_in_any_write_and_told_the_rest_the_files_are_as_if_nothing_had_happened(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    for seed in range(60):
        draw, path = random.Random(seed), tmp_path / str(seed)
        had = draw.randint(1, len(events))
        session(path, events[: had - 1])
        before = contents(path)
        session(path, events[had - 1 : had], resumed=True)
        for name, data in contents(path).items():
            start = len(before.get(name, b""))
            if len(data) > start:
                (path / name / FILE).write_bytes(data[: draw.randint(start, len(data) - 1)])
        session(path, events[draw.randint(0, had - 1) :], resumed=True)
        assert contents(path) == contents(tmp_path / "whole"), seed


def test_many_sessions_that_overlap_at_random_write_each_event_once(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    for seed in range(60):
        draw, path, had = random.Random(seed), tmp_path / str(seed), 0
        path.mkdir()
        while had < len(events):
            reach = draw.randint(had, len(events))
            session(path, events[draw.randint(0, had) : reach], resumed=had > 0)
            had = max(had, reach)
        assert contents(path) == contents(tmp_path / "whole"), seed


def test_zeros_that_a_power_cut_left_at_the_end_are_cut_off(tmp_path: Path) -> None:
    session(tmp_path, a_run()[:9])
    file = tmp_path / "tensorboard" / "00001" / FILE
    whole = file.read_bytes()
    file.write_bytes(whole + b"\0" * 500)
    session(tmp_path, a_run()[8:10], resumed=True)
    assert file.read_bytes() == whole


def test_a_disk_that_is_full_is_an_error_and_the_torn_event_is_repaired(tmp_path: Path) -> None:
    class FullDisk:
        """Takes ten bytes, then nothing."""

        def __init__(self, file: Any) -> None:
            self.file, self.room = file, 10

        def write(self, data: bytes) -> int:
            if not self.room:
                raise OSError(28, "No space left on device")
            taken = self.file.write(data[: self.room])
            self.room -= taken
            return taken

        def close(self) -> None:
            self.file.close()

    events = a_run()
    logger = TensorBoardLogger()
    logger.setup(facts(tmp_path / "full"))
    for event in events[:5]:
        logger.log(event)
    logger._curves._files["00000"] = FullDisk(logger._curves._files["00000"])
    with pytest.raises(OSError, match="No space left"):
        logger.log(events[5])
    logger.teardown()
    session(tmp_path / "full", events[5:], resumed=True)
    session(tmp_path / "whole", events)
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


# --- its manners ---------------------------------------------------------------------------------------------------------


def open_below(folder: Path) -> int:
    """How many files there this process has open; others it may have from tests before."""
    links = (Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.readlink(link).startswith(f"{folder}/") for link in links if link.is_symlink())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts the open files of Linux")
def test_a_thousand_trials_at_once_do_not_keep_a_thousand_files_open(tmp_path: Path) -> None:
    trials = [f"{number:05d}" for number in range(1000)]
    steps = [result(step, trial, loss=float(step)) for step in (1, 2) for trial in trials]
    logger = TensorBoardLogger()
    logger.setup(facts(tmp_path))
    most = 0
    for event in told(*(created({"lr": 1}, trial) for trial in trials), *steps):
        logger.log(event)
        most = max(most, open_below(tmp_path))
    assert most == OPEN
    logger.teardown()
    assert open_below(tmp_path) == 0
    assert len(contents(tmp_path)) == 1000
    for trial in trials[::97]:
        assert [step for _, step, _ in scalars(tmp_path, "loss", trial)] == [1, 2]


def test_a_new_run_does_not_append_to_the_curves_of_an_old_one(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    with pytest.raises(RunError, match="another run"):
        session(tmp_path, a_run())


@pytest.mark.parametrize("content", [b"my notes are long", b"\xff" * 40])
def test_a_file_of_somebody_elses_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tensorboard" / "00000" / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"tfevents.*move it away"):
        session(tmp_path, a_run(), resumed=True)
    assert file.read_bytes() == content


@pytest.mark.parametrize("link", ["tensorboard", "tensorboard/00000", f"tensorboard/00000/{FILE}"])
def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    place = tmp_path / "run" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "file" if link.endswith(FILE) else outside)
    with pytest.raises(RunError, match="leads out of the run"):
        session(tmp_path / "run", a_run(), resumed=True)
    assert list(outside.iterdir()) == []


def test_a_run_may_lie_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    session(tmp_path / "link", a_run())
    assert len(contents(tmp_path / "real")) == 3


def test_teardown_without_setup_is_quiet() -> None:
    TensorBoardLogger().teardown()


def test_neither_tensorflow_nor_torch_is_imported(tmp_path: Path) -> None:
    """They may well be installed, and take seconds to import."""
    for name in ("tensorflow", "torch", "tensorboardX"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'{__name__} was imported')")
    code = "import test_log_tensorboard as t, pathlib, sys; t.session(pathlib.Path(sys.argv[1]), t.a_run())"
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parent)])
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], env={**os.environ, "PYTHONPATH": paths}, timeout=60, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(contents(tmp_path / "run")) == 3
