from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from microtune import OptionError
from microtune_log_console import ConsoleLogger


class FakeCommand(NamedTuple):
    name: str


@pytest.fixture
def console(facts: Any, telling: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A logger of a session that has just begun, and what tells it; `lines()` is what it printed since."""

    monkeypatch.setattr("microtune_log_console.plain.installed", lambda role: [])
    monkeypatch.setenv("COLUMNS", "200")

    def make(
        encoding: str = "utf-8", options: dict[str, Any] | None = None, begin: bool = True, **settings: Any
    ) -> Any:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        logger = ConsoleLogger(**(options or {}))
        told = telling(facts(**settings), logger)

        def lines(file: Any = out) -> list[str]:
            file.flush()
            text = file.buffer.getvalue().decode(encoding)
            file.buffer.seek(0)
            file.buffer.truncate()
            return text.splitlines()

        told.lines, told.errors = lines, lambda: lines(err)
        told.close = lambda **body: (told.event("closed", **body), logger.teardown(told.run))
        logger.setup(told.run)
        if begin:
            told.event("opened")
            lines()
        return told

    return make


def test_the_header_says_what_is_to_be_done(console: Any) -> None:
    told = console(begin=False, trials=20, time=90, metric=["loss", "size"], mode=["min", "max"])
    assert told.lines() == ["microtune digits: 20 trials or 1:30 of time, min loss, max size"]


def test_a_status_line_comes_every_few_seconds_of_the_runs_time(console: Any) -> None:
    told = console()
    for number in range(3):
        told.start(number)
        told.result(number, 0.5 - number / 10)
    told.run.now = 4.9
    told.event("launched", 0, attempt=1)
    assert told.lines() == []
    told.run.now = 5.0
    told.event("launched", 0, attempt=1)
    told.event("launched", 1, attempt=1)
    assert told.lines() == ["[5.0 s] 0/20 trials: 3 running | best loss 0.3 (trial 00002)"]
    told.run.now = 9.9
    told.end(2)
    assert told.lines() == ["trial 00002 completed at iteration 1: loss 0.3 | lr=0.02"]
    told.run.now = 60.0
    told.result(0, 0.1, 2)
    assert told.lines() == ["[1:00] 1/20 trials: 2 running, 1 completed | best loss 0.1 (trial 00000)"]
    told.end(0)
    told.end(1)
    told.lines()
    told.start(3)
    told.run.now = 120.0
    told.result(3, 0.7)
    assert told.lines() == [
        "[2:00] 3/20 trials: 1 running, 3 completed | best loss 0.1 (trial 00000) | about 11:20 left"
    ]


def test_ends_that_come_fast_are_not_told_one_by_one(console: Any) -> None:
    told = console(trials=None, options={"every": 5.0})
    for number in range(100):
        told.run.now = number / 25
        told.start(number)
        told.result(number, 1.0)
        told.end(number)
    assert 4 <= len(told.lines()) <= 5


def test_the_reason_of_an_early_stop_is_told(console: Any) -> None:
    told = console(options={"metrics": ("acc",), "parameters": ("lr",)})
    told.start(3, {"lr": 0.5, "other": 1})
    told.result(3, 0.25, 4, acc=0.75)
    told.end(3, "STOPPED", "asha: rung 4")
    assert told.lines() == ["trial 00003 stopped at iteration 4 (asha: rung 4): loss 0.25, acc 0.75 | lr=0.5"]


def test_the_summary_has_the_best_config_its_metrics_and_where_everything_is(console: Any, tmp_path: Path) -> None:
    told = console()
    told.start(0, {"lr": 0.1 + 0.2, "opt": {"kind": "sgd", "nesterov": None}})
    told.result(0, 0.25, 3, acc=0.75)
    told.event("checkpoint", 0, path="/runs/trials/00000/checkpoints/3-1", iteration=3)
    told.end(0)
    told.start(1)
    told.end(1, "STOPPED", "asha")
    told.lines()
    told.run.now = 93.0
    told.close(reason="all 2 trials have been started", finished=True)
    assert told.lines() == [
        "microtune digits: finished in 1:33 (all 2 trials have been started)",
        "trials      1 completed, 1 stopped",
        "best        loss 0.25 (trial 00000, iteration 3)",
        "config      lr = 0.30000000000000004",
        "            opt/kind = sgd",
        "            opt/nesterov = None",
        "metrics     acc = 0.75",
        "checkpoint  /runs/trials/00000/checkpoints/3-1",
        f"folder      {tmp_path / 'a run'}",
        f"see it      microtune show '{tmp_path / 'a run'}'",
    ]


def test_where_the_report_is_installed_it_is_named(
    console: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("microtune_log_console.plain.installed", lambda role: [FakeCommand("report")])
    told = console()
    told.close(reason="done", finished=True)
    assert told.lines()[-1] == f"see it      microtune report '{tmp_path / 'a run'}'"


def test_a_run_that_is_in_memory_only_is_nowhere(console: Any, tmp_path: Path) -> None:
    told = console()
    (tmp_path / "a run" / "journal.db").unlink()
    told.close(reason="SIGINT", finished=False)
    assert not any(str(tmp_path) in line for line in told.lines())


def test_the_summary_says_what_it_saved_to_stop_trials_early(console: Any) -> None:
    told = console()
    for number, last in enumerate((10, 4, 4, 1)):
        told.start(number)
        for step in range(1, last + 1):
            told.result(number, 0.5, step)  # a second each
        told.end(number, *(("COMPLETED", "completed") if last == 10 else ("STOPPED", "asha")))
    told.close(reason="done", finished=True)
    # 40 iterations had they all been run, 19 that were: 21 of 40.
    assert "saved       about 21 s of training (52%): 3 trials ended before iteration 10" in told.lines()


def test_an_interrupted_run_says_how_to_go_on(console: Any, tmp_path: Path) -> None:
    told = console()
    told.start(0)
    told.close(reason="SIGINT", finished=False)
    lines = told.lines()
    assert lines[0] == "microtune digits: ended unfinished after 0.0 s (SIGINT)"
    assert lines[-1] == f"go on with  microtune resume '{tmp_path / 'a run'}'"


def test_a_run_without_a_finite_metric_says_so(console: Any) -> None:
    told = console()
    told.start(0)
    told.result(0, math.nan)
    told.end(0)
    told.close(reason="done", finished=True)
    assert "best        none: no trial has a finite loss" in told.lines()


def test_of_several_objectives_the_summary_points_to_the_pareto_front(console: Any) -> None:
    told = console(metric=["loss", "size"], mode=["min", "min"])
    told.start(0)
    told.result(0, 0.5, size=7)
    told.close(reason="done", finished=True)
    assert any("loss 0.5, size 7" in line and "pareto_front" in line for line in told.lines())


def test_failures_are_told_three_times_and_then_counted(console: Any) -> None:
    told = console()
    for number in range(5):
        told.start(number)
        told.end(number, "FAILED", f"ValueError: bad {number}\nmore")
    assert told.lines() == [
        *(f"trial 0000{number} failed: ValueError: bad {number} ..." for number in range(3)),
        "further failures are counted, not told",
    ]
    told.close(reason="done", finished=True)
    assert told.lines()[-1] == "failed      5 of 5; the first, trial 00000: ValueError: bad 0 ..."


def test_a_retry_is_told_and_counted(console: Any) -> None:
    told = console()
    told.start(0)
    told.event("interrupted", 0, reason="OSError: x", failure={"kind": "error", "message": "OSError: x"}, counted=True)
    assert told.lines() == ["trial 00000 failed and is tried again: OSError: x"]
    told.close(reason="SIGINT", finished=False)
    assert "trials      1 unfinished (1 retried)" in told.lines()


def test_a_fault_is_told_once_and_is_in_the_summary(console: Any) -> None:
    told = console()
    told.start(0)
    told.event("fault", 0, message="error on the way out\nmore")
    told.event(
        "fault", None, plugin="logger 'csv'", hook="log", message="logger 'csv' failed"
    )  # the kernel warns of it itself
    assert told.lines() == ["fault: trial 00000: error on the way out ..."]
    told.close(reason="done", finished=True)
    assert told.lines()[-1] == "faults      2; the first: trial 00000: error on the way out ..."


def test_quiet_says_what_went_wrong_and_nothing_else(console: Any) -> None:
    told = console(options={"quiet": True})
    told.start(0)
    told.start(1)
    told.run.now = 100.0
    told.end(0)
    told.end(1, "FAILED", "ValueError: x")
    told.close(reason="done", finished=True)
    assert told.lines() == []
    assert told.errors() == [
        "trial 00001 failed: ValueError: x",
        "failed      1 of 2; the first, trial 00001: ValueError: x",
    ]


def test_on_a_resume_old_trials_count_and_are_not_told_again(console: Any) -> None:
    told = console(begin=False, resumed=True)
    assert told.lines() == ["microtune digits, resumed: 20 trials, min loss"]
    logger, log = told.listener, told.listener.log
    logger.log = lambda run, event: None  # the journal is replayed: tells, no events
    told.run.now = 500.0
    for number in range(5):
        told.start(number)
        told.result(number, number)
        told.end(number, *(("FAILED", "ValueError: old") if number == 3 else ("COMPLETED", "completed")))
    logger.log = log
    told.event("closed", reason="SIGINT", finished=False)  # of the session before, not heard then
    assert told.lines() == []
    told.run.now = 9000.0
    told.event("changed")
    told.start(5)
    told.run.now = 9005.0
    told.result(5, 7)
    assert told.lines() == ["[5.0 s] 5/20 trials: 1 running, 4 completed, 1 failed | best loss 0 (trial 00000)"]
    told.close(reason="done", finished=True)
    lines = told.lines()
    assert lines[0] == "microtune digits: finished in 5.0 s (done)"
    assert lines[-1] == "failed      1 of 5; the first, trial 00003: ValueError: old"


def test_a_resumed_run_says_what_it_took_in_all(console: Any) -> None:
    told = console(resumed=True, elapsed=100.0)
    told.run.now = 20.0
    told.close(reason="done", finished=True)
    assert told.lines()[0] == "microtune digits: finished in 20 s, 2:00 with the sessions before (done)"


def test_trials_that_a_finished_run_leaves_paused_are_called_so(console: Any) -> None:
    told = console()
    told.start(0)
    told.result(0, 0.5)
    told.event("decided", 0, decision="pause", reason="rung 1", by="asha")
    told.start(1)
    for step in range(1, 5):
        told.result(1, 0.25, step)
    told.end(1)
    told.close(reason="done", finished=True)
    lines = told.lines()
    assert "trials      1 left paused, 1 completed" in lines
    assert "saved       about 3.0 s of training (38%): 1 trial ended before iteration 4" in lines  # 3 of 8


def test_a_run_that_never_began_leaves_the_talking_to_its_error(console: Any) -> None:
    told = console(begin=False)
    told.lines()
    told.listener.teardown(told.run)
    assert told.lines() == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_hostile_text_neither_crashes_nor_commands_the_terminal(console: Any, encoding: str) -> None:
    told = console(encoding=encoding)
    told.start(0, {"[red]": "[/]", "ü→\x1b[2J": "x\r\ny\ud800"})
    told.result(0, 0.5, **{"m\n": "\x07"})
    told.end(0)
    told.close(reason="d\x1bone", finished=True)
    text = "\n".join(told.lines())
    assert "[red]=[/]" in text
    assert not set(text) & {"\x1b", "\r", "\x07"}


def test_a_line_on_the_run_is_cut_to_the_terminals_width(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = console()
    told.start(0, {f"parameter{i}": i for i in range(50)})
    told.result(0, 0.5)
    told.end(0)
    (line,) = told.lines()
    assert len(line) == 80
    assert line.endswith("...")


@pytest.mark.parametrize("options", [{"style": "fancy"}, {"every": 0}, {"rows": 0}, {"every": math.nan}])
def test_a_wrong_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="logger 'console'"):
        ConsoleLogger(**options)


def test_where_the_table_cannot_be_drawn_plain_lines_go_on(console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microtune_log_console.screen.PATIENCE", 0)
    monkeypatch.setattr(ConsoleLogger, "_view", lambda self: 1 / 0)
    told = console(options={"style": "live"})
    told.listener._screen._thread.join(timeout=10)
    told.start(0)
    told.run.now = 5.0
    told.end(0, "FAILED", "ValueError: x")
    assert "trial 00000 failed: ValueError: x" in told.lines()
    with pytest.raises(ZeroDivisionError):
        told.close(reason="done", finished=True)
    assert "microtune digits: finished in 5.0 s (done)" in told.lines()


def test_in_a_pipe_rich_is_never_imported_and_nothing_is_for_a_terminal(tmp_path: Path) -> None:
    code = """
        import sys, time
        import microtune as mt
        from microtune.testing import FakeExecutor, FakeSearcher

        def train(config):
            time.sleep(0.1)
            mt.report(loss=config["lr"])

        mt.Tuner(
            train, param_space={"lr": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=5, searcher=FakeSearcher(),
            executor=FakeExecutor(), loggers=["console"], storage_path=sys.argv[1], name="run", seed=1,
        ).fit()
        print("rich" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "microtune run: finished" in done.stdout
    assert done.stdout.replace("\n", "").isprintable()
    assert re.search(f"see it      microtune (show|report) {tmp_path / 'run'}\n", done.stdout)
    assert done.stdout.splitlines()[-1] == "False"
