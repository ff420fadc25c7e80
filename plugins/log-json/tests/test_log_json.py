"""events.jsonl: strict JSON, and every event in it exactly once."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from microtune import Event, Facts, Limits, Objective, RunError, Space, uniform
from microtune_log_json import JsonLogger


def facts(path: Path, resumed: bool = False) -> Facts:
    space = Space({"lr": uniform(0, 1)})
    objective = Objective("loss", "min")
    return Facts(
        id="r", name="run", path=str(path), seed=1, space=space, objective=objective, num_samples=2, limits=Limits(trials=2),
        resources={"cpu": 1}, trainable=print, resumed=resumed,
    )  # fmt: skip


def session(path: Path, events: list[Event], resumed: bool = False) -> None:
    logger = JsonLogger()
    logger.setup(facts(path, resumed))
    try:
        for event in events:
            logger.log(event)
    finally:
        logger.teardown()


def a_run() -> list[Event]:
    bodies = [
        ("opened", None, {"version": 1, "settings": {"metric": "loss", "plugins": []}}),
        ("created", "00000", {"number": 0, "config": {"lr": 0.1, "note": 'a"b\nc\u2028ä\ud800'}}),
        ("launched", "00000", {"attempt": 1}),
        (
            "result",
            "00000",
            {"iteration": 1, "metrics": {"loss": math.nan, "deep": [{"x": math.inf}]}, "time_total_s": 1.0},
        ),
        ("result", "00000", {"iteration": 2, "metrics": {"loss": -math.inf}, "time_total_s": 2.0}),
        (
            "ended",
            "00000",
            {"state": "FAILED", "reason": "x", "failure": {"kind": "error", "message": "x", "traceback": "a\nb"}},
        ),
        ("closed", None, {"reason": "done", "finished": True}),
    ]
    return [Event(seq, 100 + seq / 8, *body) for seq, body in enumerate(bodies, start=1)]


def contents(path: Path) -> bytes:
    return (path / "events.jsonl").read_bytes()


def lines(path: Path) -> list[dict]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in contents(path).decode("ascii").splitlines()]


def test_every_event_is_one_line_with_its_head_and_body(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    found = lines(tmp_path)
    assert [line["seq"] for line in found] == list(range(1, 8))
    assert found[2] == {"seq": 3, "at": 100.375, "kind": "launched", "trial": "00000", "attempt": 1}
    assert found[0]["trial"] is None
    assert found[1]["config"]["note"] == 'a"b\nc\u2028ä\ud800'
    assert found[5]["failure"]["traceback"] == "a\nb"


def test_numbers_that_json_lacks_are_spelled_as_strings(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    found = lines(tmp_path)
    assert found[3]["metrics"] == {"loss": "NaN", "deep": [{"x": "Infinity"}]}
    assert found[4]["metrics"] == {"loss": "-Infinity"}
    assert math.isnan(float(found[3]["metrics"]["loss"]))


def test_an_event_is_in_the_file_before_log_returns(tmp_path: Path) -> None:
    logger = JsonLogger()
    logger.setup(facts(tmp_path))
    logger.log(a_run()[0])
    assert len(lines(tmp_path)) == 1
    logger.teardown()


def test_cut_anywhere_and_told_again_the_file_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path, events)
    whole = contents(tmp_path)
    draw = random.Random(7)
    for size in range(len(whole) + 1):
        (tmp_path / "events.jsonl").write_bytes(whole[:size])
        complete = whole[:size].count(b"\n")
        session(tmp_path, events[draw.randint(0, complete) :], resumed=True)
        assert contents(tmp_path) == whole, size


def test_many_sessions_that_overlap_at_random_write_each_event_once(tmp_path: Path) -> None:
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


def test_zeros_that_a_power_cut_left_at_the_end_are_cut_off(tmp_path: Path) -> None:
    events = a_run()
    session(tmp_path, events[:3])
    whole = contents(tmp_path)
    (tmp_path / "events.jsonl").write_bytes(whole + b"\0" * 500)
    session(tmp_path, [], resumed=True)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"a": 1}\n', "[1]\n", '{"seq":"x"}\n', "\n"])
def test_a_file_of_somebody_elses_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "events.jsonl").write_text(content)
    with pytest.raises(RunError, match=r"events\.jsonl.*move it away"):
        session(tmp_path, [], resumed=True)
    assert (tmp_path / "events.jsonl").read_text() == content


def test_a_new_run_does_not_append_to_the_events_of_an_old_one(tmp_path: Path) -> None:
    session(tmp_path, a_run())
    with pytest.raises(RunError, match="another run"):
        session(tmp_path, a_run())


def test_teardown_without_setup_is_quiet() -> None:
    JsonLogger().teardown()


def test_pandas_reads_the_file_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    session(tmp_path, a_run())
    monkeypatch.chdir(tmp_path)
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    scope: dict = {}
    for block in readme.split("```python")[1:]:
        exec(block.split("```")[0], scope)
    assert list(scope["metrics"].index) == [4, 5]
    assert scope["results"]["trial"].iloc[0] == "00000"
    assert [float(value) for value in scope["metrics"]["loss"]][1] == -math.inf
