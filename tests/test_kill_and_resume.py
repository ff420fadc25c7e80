"""A driver that is killed at any commit, for real, and resumed: nothing is lost, and next to nothing is done twice.

Every kill point takes two processes, so the ordinary run tries some of them. `tox run -e kill-matrix` tries all.
"""

from __future__ import annotations

import csv
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from microtune.journal import Reader

DRIVER = Path(__file__).with_name("killed_run.py")
KINDS, POINTS, TRIALS = (runpy.run_path(str(DRIVER))[name] for name in ("KINDS", "POINTS", "TRIALS"))
ALL = os.environ.get("MICROTUNE_KILL_POINTS") == "all"
SOME = 8  # of each kind
MARK = "MICROTUNE_KILLED_RUN"  # in the environment of a driver and of all processes that come from it
VIRTUAL = [kind for kind in KINDS if kind.endswith("virtual")]

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


def drive(folder: Path, kind: str, verb: str, *point: object) -> int | None:
    """Run the driver to its end, or to its death; the number of its commits if it lived."""
    command = [sys.executable, str(DRIVER), str(folder), kind, verb, *map(str, point)]
    environment = {**os.environ, MARK: str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    everyone_is_gone(folder)
    if done.returncode == -signal.SIGKILL and point:
        return None
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return int(done.stdout)


def everyone_is_gone(folder: Path) -> None:
    """The workers of a driver that was killed find that out, and end, children and all."""
    mark = f"{MARK}={folder}\0".encode()
    end = time.monotonic() + 60
    while left := [entry.parent.name for entry in Path("/proc").glob("[0-9]*/environ") if mark in environment_of(entry)]:
        assert time.monotonic() < end, f"processes {left} outlived their driver"
        time.sleep(0.01)


def environment_of(entry: Path) -> bytes:
    try:
        return entry.read_bytes()
    except OSError:  # somebody else's, or gone
        return b""


def journalled(folder: Path) -> list:
    reader = Reader(str(folder))
    events = list(reader.events())
    reader.close()
    return events


def history(events: list) -> list[tuple]:
    """The suggestions, results and decisions; of a checkpoint its iteration, since it may be another attempt's."""
    told = []
    for event in events:
        if event.kind in ("created", "resumed", "result", "decided", "ended") and not event.body.get("repeat"):
            body = {key: value for key, value in event.body.items() if key != "failure"}
            if "checkpoint" in body:
                body["checkpoint"] = os.path.basename(body["checkpoint"]).split("-")[0]
            told.append((event.kind, event.trial, event.at, body))
    return told


def points(kind: str, commits: int) -> list[tuple[str, int]]:
    every = [(side, n) for n in range(1, commits + 1) for side in ("before", "after")]
    return every if ALL else sorted(random.Random(kind).sample(every, SOME))


def killed_and_resumed(folder: Path, kind: str, point: tuple[str, int]) -> list:
    """What had been committed when the driver died; the folder is that of the run at its end."""
    died = drive(folder, kind, "start", *point) is None
    assert died or kind not in VIRTUAL  # with real workers another run may have fewer commits
    committed = journalled(folder)
    drive(folder, kind, "resume" if committed else "start")
    return committed


# --- what holds at the end of any run ---------------------------------------------------------------------------------


def loggers_have_it_once(folder: Path, events: list) -> None:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [(line["seq"], line["kind"]) for line in lines] == [(event.seq, event.kind) for event in events]
    with open(folder / "results.csv", newline="") as file:
        rows = [(int(row["seq"]), row["metric"], float(row["value"])) for row in csv.DictReader(file)]
    results = [event for event in events if event.kind == "result" and not event.body.get("repeat")]
    assert rows == [(event.seq, "loss", event.body["metrics"]["loss"]) for event in results]


def no_step_is_done_twice_but_those_since_the_last_checkpoint(folder: Path, events: list) -> None:
    """Every attempt begins where the last checkpoint is, and is at most one step ahead of its committed results."""
    attempt: Counter[str] = Counter()
    latest: Counter[str] = Counter()  # iteration of the last checkpoint
    restored: dict[tuple[str, int], int] = {}
    results: Counter[tuple[str, int]] = Counter()
    for event in events:
        if event.kind == "checkpoint":
            latest[event.trial] = event.body["iteration"]
        elif event.kind == "launched":
            attempt[event.trial] = event.body["attempt"]
            restored[event.trial, attempt[event.trial]] = latest[event.trial]
        elif event.kind == "result":
            results[event.trial, attempt[event.trial]] += 1
    for path in (folder / "trials").glob("*/evaluated"):
        steps: dict[int, list[int]] = {}
        for line in path.read_text().splitlines():
            number, step = map(int, line.split())
            steps.setdefault(number, []).append(step)
        for number, done in steps.items():
            one = (path.parent.name, number)
            assert done == list(range(restored[one] + 1, restored[one] + 1 + len(done))), f"attempt {one} began elsewhere"
            assert len(done) <= results[one] + 1, f"attempt {one} ran ahead of the journal"


def disk_holds_the_checkpoints_of_the_journal(folder: Path, events: list) -> None:
    known = {event.body["path"] for event in events if event.kind == "checkpoint"}
    known -= {event.body["path"] for event in events if event.kind == "deleted"}
    assert {str(path) for path in folder.glob("trials/*/checkpoints/*")} == known


def all_is_well(folder: Path, committed: list) -> list:
    events = journalled(folder)
    assert events[: len(committed)] == committed
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].body["finished"]
    configs = [json.dumps(event.body["config"]) for event in events if event.kind == "created"]
    assert len(configs) == len(set(configs)) == TRIALS
    assert [json.loads(config)["x"] for config in configs[: len(POINTS)]] == [point["x"] for point in POINTS]
    told = Counter((e.trial, e.body["iteration"]) for e in events if e.kind == "result" and not e.body.get("repeat"))
    assert set(told.values()) == {1}
    loggers_have_it_once(folder, events)
    disk_holds_the_checkpoints_of_the_journal(folder, events)
    no_step_is_done_twice_but_those_since_the_last_checkpoint(folder, events)
    return events


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_that_is_killed_at_any_commit_loses_nothing(kind, tmp_path):
    commits = drive(tmp_path / "whole", kind, "start")
    whole = all_is_well(tmp_path / "whole", [])
    everything_happens(whole, kind)

    def problem_with(point: tuple[str, int]) -> str | None:
        folder = tmp_path / f"{point[0]}-{point[1]}"
        try:
            events = all_is_well(folder, killed_and_resumed(folder, kind, point))
            if kind in VIRTUAL:
                assert history(events) == history(whole)
        except Exception as error:
            return f"killed {point[0]} commit {point[1]}: {type(error).__name__}: {error}"
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(filter(None, pool.map(problem_with, points(kind, commits))))
    assert not problems, "\n\n".join(problems)


def everything_happens(events: list, kind: str) -> None:
    """Else the run would prove little."""
    kinds = {event.kind for event in events}
    assert kinds >= {"created", "checkpoint", "result", "interrupted", "decided", "deleted", "ended"}
    assert [event.body["state"] for event in events if event.kind == "ended"].count("FAILED") >= 1
    retried = {event.trial for event in events if event.kind == "interrupted"}
    assert any(event.kind == "result" and event.body.get("repeat") for event in events if event.trial in retried)
    decisions = {event.body["decision"] for event in events if event.kind == "decided"}
    assert decisions == ({"stop"} if kind.startswith("stopping") else {"pause"})
    assert ("resumed" in kinds) == kind.startswith("promotion")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_every_session_is_killed_comes_to_its_end(kind, tmp_path):
    drive(tmp_path / "whole", kind, "start")
    committed: list = []
    for session in range(200):
        verb = "resume" if committed else "start"
        alive = drive(tmp_path / "killed", kind, verb, "after", 2 + session % 7) is not None
        if alive:
            break
        now = journalled(tmp_path / "killed")
        assert now[: len(committed)] == committed
        committed = now
    assert alive
    events = all_is_well(tmp_path / "killed", committed)
    if kind in VIRTUAL:
        assert history(events) == history(journalled(tmp_path / "whole"))
