"""The three files: what is in them, and that it is there exactly once."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import pytest

from microtune import Event, Facts, Limits, Objective, RunError, Space, uniform
from microtune_log_csv import CsvLogger

FILES = ("results.csv", "configs.csv", "trials.csv")


def facts(path: Path, resumed: bool = False) -> Facts:
    space = Space({"lr": uniform(0, 1)})
    objective = Objective("loss", "min")
    return Facts(
        id="r", name="run", path=str(path), seed=1, space=space, objective=objective, num_samples=2, limits=Limits(trials=2),
        resources={"cpu": 1}, trainable=print, resumed=resumed,
    )  # fmt: skip


def tell(logger: CsvLogger, events: list[Event]) -> None:
    for event in events:
        logger.log(event)


def session(path: Path, events: list[Event], resumed: bool = False) -> None:
    logger = CsvLogger()
    logger.setup(facts(path, resumed))
    try:
        tell(logger, events)
    finally:
        logger.teardown()


def rows(path: Path, name: str) -> list[dict[str, str]]:
    with open(path / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def result(seq: int, metrics: dict, iteration: int = 1, **more: object) -> Event:
    return Event(
        seq, seq + 0.5, "result", "00000", {"iteration": iteration, "metrics": metrics, "time_total_s": 0.25, **more}
    )


def a_run() -> list[Event]:
    """Two trials with all kinds of events, values of every kind and hostile ones among them."""
    bodies = [
        ("opened", None, {"settings": {}}),
        (
            "created",
            "00000",
            {"number": 0, "config": {"lr": 0.1, "opt": {"kind": "sgd", "nesterov": True}, "sizes": [64, 32]}},
        ),
        ("launched", "00000", {"attempt": 1}),
        ("created", "00001", {"number": 1, "config": {"lr": 1e-300, "opt": None, "note": 'a,"b"\nc'}}),
        ("launched", "00001", {"attempt": 1}),
        ("result", "00000", {"iteration": 1, "metrics": {"loss": 0.5, "eval": {"acc": 0.75}}, "time_total_s": 1.0}),
        ("result", "00001", {"iteration": 1, "metrics": {"loss": math.nan}, "time_total_s": 1.5}),
        (
            "result",
            "00001",
            {"iteration": 2, "metrics": {"loss": math.inf, "late": 7, "tag": "ä\ud800"}, "time_total_s": 2.5},
        ),
        ("decided", "00001", {"decision": "pause", "reason": "rung", "by": "asha"}),
        ("interrupted", "00000", {"reason": "the worker\ndied"}),
        ("launched", "00000", {"attempt": 2}),
        ("result", "00000", {"iteration": 1, "metrics": {"loss": 0.5}, "time_total_s": 3.0, "repeat": True}),
        ("result", "00000", {"iteration": 2, "metrics": {"loss": -math.inf, "empty": {}}, "time_total_s": 3.5}),
        ("decided", "00000", {"decision": "stop", "reason": "bad", "by": "asha"}),
        ("ended", "00000", {"state": "STOPPED", "reason": "bad"}),
        ("resumed", "00001", {"config": {"lr": 0.2, "opt": None, "note": "new"}}),
        ("launched", "00001", {"attempt": 2}),
        ("ended", "00001", {"state": "FAILED", "reason": "ValueError: x", "failure": {"kind": "error"}}),
        ("closed", None, {"reason": "done", "finished": True}),
    ]
    return [Event(seq, 100 + seq / 8, *body) for seq, body in enumerate(bodies, start=1)]


def contents(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in FILES}


def test_every_metric_of_a_result_is_a_row_and_nested_names_are_joined(tmp_path: Path) -> None:
    session(
        tmp_path, [result(1, {"loss": 0.1, "eval": {"acc": 0.9, "f1": 0.8}}), result(2, {"loss": 0.05, "new": 3}, 2)]
    )
    found = [
        (r["seq"], r["trial"], r["training_iteration"], r["metric"], r["value"]) for r in rows(tmp_path, "results.csv")
    ]
    assert found == [
        ("1", "00000", "1", "loss", "0.1"),
        ("1", "00000", "1", "eval/acc", "0.9"),
        ("1", "00000", "1", "eval/f1", "0.8"),
        ("2", "00000", "2", "loss", "0.05"),
        ("2", "00000", "2", "new", "3"),
    ]
    assert {(r["at"], r["time_total_s"]) for r in rows(tmp_path, "results.csv")} == {("1.5", "0.25"), ("2.5", "0.25")}


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004", ""),
        (2**70, str(2**70), ""),
        (math.nan, "nan", ""),
        (-math.inf, "-inf", ""),
        (True, "1", "True"),
        ("relu", "", "relu"),
        (None, "", ""),
        ([1, "a"], "", '[1, "a"]'),
        ({}, "", "{}"),
        ("a\0b", "", "a\\0b"),
        ('=1+1,"x"\r\ny\ud800', "", '=1+1,"x"\\r\\ny\\ud800'),
    ],
)
def test_a_number_goes_into_value_and_all_else_into_text(tmp_path: Path, value: object, number: str, text: str) -> None:
    session(tmp_path, [result(1, {"x": value})])
    assert [(r["value"], r["text"]) for r in rows(tmp_path, "results.csv")] == [(number, text)]


def test_the_trials_file_tells_every_change_of_state(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    changes = [(r["trial"], r["state"], r["reason"]) for r in rows(tmp_path, "trials.csv")]
    assert [change for change in changes if change[0] == "00001"] == [
        ("00001", "PENDING", ""),
        ("00001", "RUNNING", ""),
        ("00001", "PAUSED", "rung"),
        ("00001", "PENDING", ""),
        ("00001", "RUNNING", ""),
        ("00001", "FAILED", "ValueError: x"),
    ]
    assert changes[4] == ("00001", "PAUSED", "rung")
    assert changes[-4:-3] == [("00000", "STOPPED", "bad")]


def test_a_config_that_changes_has_rows_again(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    lrs = [(r["trial"], r["value"]) for r in rows(tmp_path, "configs.csv") if r["parameter"] == "lr"]
    assert lrs == [("00000", "0.1"), ("00001", "1e-300"), ("00001", "0.2")]


def test_a_repeated_result_has_no_rows_of_its_own(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    assert [r["seq"] for r in rows(tmp_path, "results.csv") if r["trial"] == "00000"] == ["6", "6", "13", "13"]


def test_rows_are_in_the_file_before_log_returns(tmp_path: Path) -> None:
    logger = CsvLogger()
    logger.setup(facts(tmp_path))
    logger.log(result(1, {"loss": 1.0}))
    assert len(rows(tmp_path, "results.csv")) == 1
    logger.teardown()


def test_cut_anywhere_and_told_again_the_files_are_as_if_nothing_had_happened(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    whole = contents(tmp_path / "whole")
    path = tmp_path / "cut"
    path.mkdir()
    draw = random.Random(7)
    for name in FILES:
        for size in range(draw.randint(0, 2), len(whole[name]) + 1, 3):
            for other in FILES:
                (path / other).write_bytes(whole[other][:size] if other == name else whole[other])
            # What is told again begins at the event that was cut, or before it.
            lines = whole[name][:size].splitlines()
            cut = int(lines[-2].split(b",")[0]) if len(lines) > 2 else 0
            session(path, events[draw.randint(0, max(0, cut - 1)) :], resumed=True)
            assert contents(path) == whole, (name, size)


def test_a_resume_that_repeats_nothing_goes_on_behind_the_last_row(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    for cut in range(len(events) + 1):
        path = tmp_path / str(cut)
        session(path, events[:cut])
        session(path, events[cut:], resumed=True)
        assert contents(path) == contents(tmp_path / "whole")


def test_many_sessions_that_overlap_at_random_write_each_row_once(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path / "whole", events)
    for seed in range(30):
        draw, path, had = random.Random(seed), tmp_path / str(seed), 0
        path.mkdir()
        while had < len(events):
            reach = draw.randint(had, len(events))
            session(path, events[draw.randint(0, had) : reach], resumed=had > 0)
            had = max(had, reach)
        assert contents(path) == contents(tmp_path / "whole")


def test_a_logger_that_is_added_later_hears_everything(tmp_path: Path) -> None:
    session(tmp_path, a_run(), resumed=True)
    assert len(rows(tmp_path, "results.csv")) == 8


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "my notes", "seq,at,trial,parameter,value,text\nx,1,2,3,4,5\n"])
def test_a_file_of_somebody_elses_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "configs.csv").write_text(content)
    with pytest.raises(RunError, match=r"configs\.csv.*move it away"):
        session(tmp_path, [], resumed=True)
    assert (tmp_path / "configs.csv").read_text() == content


def test_a_new_run_does_not_append_to_the_rows_of_an_old_one(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    with pytest.raises(RunError, match="another run"):
        session(tmp_path, a_run())


def test_a_disk_that_is_full_is_an_error_and_the_torn_row_is_repaired(tmp_path: Path) -> None:
    class FullDisk:
        """Takes ten bytes, then nothing."""

        def __init__(self, file: object) -> None:
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
    logger = CsvLogger()
    logger.setup(facts(tmp_path / "full"))
    logger._results._file = FullDisk(logger._results._file)
    with pytest.raises(OSError, match="No space left"):
        tell(logger, events)
    logger.teardown()
    session(tmp_path / "full", events[5:], resumed=True)
    session(tmp_path / "whole", events)
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


def test_teardown_without_setup_is_quiet() -> None:
    CsvLogger().teardown()


def test_pandas_reads_and_pivots_the_files_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    session(tmp_path, a_run())
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    scope: dict = {}
    for block in readme.split("```python")[1:]:
        exec(block.split("```")[0], scope)
    wide, configs = scope["wide"], scope["configs"]
    assert list(wide["loss"].iloc[[0, 2, 3]]) == [0.5, math.inf, -math.inf]
    assert math.isnan(wide["loss"].iloc[1])
    assert list(wide["late"].dropna()) == [7.0]
    assert configs.loc["00000", "opt/kind"] == "sgd"
    assert configs.loc["00001", "lr"] == 0.2
    assert configs["lr"].dtype == float
