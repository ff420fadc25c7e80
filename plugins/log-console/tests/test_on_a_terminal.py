"""Whole runs in processes of their own, and what stands on their terminals."""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

RUN = """
    import os, sys, time
    from pathlib import Path
    import microtune as mt
    from microtune.testing import FakeExecutor, FakeSearcher

    folder = Path({folder!r})

    def wait_for(name):
        # The test makes this file once it has seen what it waits for.
        end = time.monotonic() + 30
        while not (folder / name).exists() and time.monotonic() < end:
            time.sleep(0.01)

    def train(config):
        for step in range(1, 4):
            {body}
            mt.report(loss=config["lr"] / step, size=step)

    run = mt.Tuner(
        train, param_space={{"lr": mt.uniform(0, 1), "opt": {{"kind": mt.choice(["sgd", "adam"])}}, "tag": {tag!r}}},
        metric={metric!r}, mode={mode!r}, num_samples=5, searcher=FakeSearcher(), executor=FakeExecutor(),
        loggers=[{logger!r}], storage_path=folder, name="run", seed=1,
    ).fit()
    print("rich" in sys.modules)
"""


@pytest.fixture
def on_terminal(tmp_path: Path, emulate: Any) -> Callable[..., Any]:
    def start(
        body: str = "pass", columns: int = 80, tag: str = "x", metric: Any = "loss", mode: Any = "min",
        logger: str = "console", **more: Any,
    ) -> Any:  # fmt: skip
        code = textwrap.dedent(RUN).format(
            folder=str(tmp_path), body=body, tag=tag, metric=metric, mode=mode, logger=logger
        )
        return emulate([sys.executable, "-c", code], columns, **more)

    return start


HOLD = 'step == 2 and wait_for("go")'  # the first trial stands there until the test lets it go on


def shows_a_table(terminal: Any) -> Callable[[], bool]:
    return lambda: (
        any(line.startswith("trial  state") for line in terminal.lines)
        and any(line.startswith("00000  running") for line in terminal.lines)
    )


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_is_there_while_the_run_goes_on_and_each_of_its_lines_fits(
    on_terminal: Any, columns: int, tmp_path: Path
) -> None:
    terminal = on_terminal(HOLD, columns)
    terminal.until(shows_a_table(terminal))
    at = next(i for i, line in enumerate(terminal.lines) if line.startswith("trial  state"))
    table = terminal.lines[at - 5 : at + 2]
    assert terminal.lines[at - 6] == table[0] == ""  # where the cursor rests, and where others may print
    assert table[1] == "1 running"
    assert "0/5 trials" in table[2]
    assert table[3].startswith("best  loss 0.")
    assert table[4].startswith("      lr=0.")
    assert table[5].split()[:4] == ["trial", "state", "iter", "loss"]
    assert all(not line for line in terminal.lines[at + 2 :])
    assert terminal.screen.cursor.y == at - 6
    assert terminal.screen.cursor.hidden
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert not terminal.screen.cursor.hidden
    lines = terminal.everything
    assert sum(line.startswith("trial  state") for line in lines) == 1
    assert sum(line.startswith("00000") for line in lines) == 1
    assert "config      lr = 0." in "\n".join(lines)
    assert lines[-1] == "" or lines[-1] == "True"


@pytest.mark.parametrize(("before", "after"), [(80, 40), (40, 120)])
def test_a_terminal_that_gets_another_width_shows_one_whole_table(
    on_terminal: Any, before: int, after: int, tmp_path: Path
) -> None:
    terminal = on_terminal(HOLD, before)
    terminal.until(shows_a_table(terminal))
    terminal.resize(after)
    seen = len(terminal.written)
    terminal.until(lambda: b"trial" in terminal.written[seen:] and terminal.written.endswith(b"\x1b[?2026l"))
    lines = terminal.lines
    (header,) = [line for line in lines if line.startswith("trial  state")]
    assert ("opt/kind" in header) == (after == 120)
    assert sum(line.startswith("00000") for line in lines) == 1
    (tmp_path / "go").touch()
    assert terminal.finish() == 0


def test_a_terminal_that_is_lower_than_the_table_gets_the_top_of_it(on_terminal: Any, tmp_path: Path) -> None:
    terminal = on_terminal(HOLD, 80, lines=5)
    terminal.until(lambda: any("0/5 trials" in line for line in terminal.lines))
    terminal.until(lambda: any(line.startswith("best") for line in terminal.lines))
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert "True" in terminal.lines


def test_what_a_trial_prints_stands_above_the_table_line_by_line(on_terminal: Any, tmp_path: Path) -> None:
    body = 'print("step", step); print("half", end=" "); print("and half"); print("careful", file=sys.stderr); '
    terminal = on_terminal(body + 'wait_for("go") if step == 2 else None', 80)
    terminal.until(lambda: "step 2" in terminal.lines and shows_a_table(terminal)())
    at = terminal.lines.index("step 2")
    assert at < next(i for i, line in enumerate(terminal.lines) if line.startswith("trial  state"))
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    lines = terminal.everything
    for said in (r"step \d", "half and half", "careful"):
        assert sum(re.fullmatch(said, line) is not None for line in lines) == 15


def test_what_another_process_prints_to_the_terminal_is_kept_and_the_table_stays_whole(
    on_terminal: Any, tmp_path: Path
) -> None:
    terminal = on_terminal('step == 2 and (wait_for("say"), os.system("echo from a worker"), wait_for("go"))', 80)
    terminal.until(shows_a_table(terminal))
    (tmp_path / "say").touch()
    terminal.until(lambda: "from a worker" in terminal.lines)
    seen = len(terminal.written)
    terminal.until(lambda: terminal.written[seen:].count(b"\x1b[?2026l") >= 2)
    lines = terminal.lines
    at = lines.index("from a worker")
    assert lines[at + 1] == lines[at + 2] == ""
    assert lines[at + 3] == "1 running"
    assert sum("0/5 trials" in line for line in lines) == 1
    assert sum(line.startswith("trial  state") for line in lines) == 1
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert "from a worker" in terminal.everything


def test_a_frame_is_painted_over_the_one_before_and_never_blank(on_terminal: Any, tmp_path: Path) -> None:
    terminal = on_terminal(HOLD, 80)
    terminal.until(shows_a_table(terminal))
    seen = len(terminal.written)
    terminal.until(lambda: terminal.written[seen:].count(b"\x1b[?2026l") >= 4)
    frames = terminal.written[seen:].split(b"\x1b[?2026h")[1:]
    for frame in frames:
        # What is cleared is the rest of a line, and below the last: nothing that is written in the same frame.
        assert b"\x1b[2J" not in frame
        assert b"\x1b[2K" not in frame
        assert frame.count(b"\x1b[J") <= 1
    (tmp_path / "go").touch()
    assert terminal.finish() == 0


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n[red]日本語 👩‍👩‍👧 é"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_hostile_config_and_error_command_nothing(on_terminal: Any, columns: int, tmp_path: Path) -> None:
    body = f"{HOLD}\n        if step == 3: raise ValueError(config['tag'])"
    terminal = on_terminal(body, columns, tag=HOSTILE)
    terminal.until(shows_a_table(terminal))
    (tmp_path / "go").touch()
    terminal.finish()
    assert b"owned\x07" not in terminal.written
    assert b"\x1b[2J" not in terminal.written
    text = "\n".join(terminal.everything)
    assert "microtune run" in text
    assert r"\x1b[2J" in text
    assert "failed      5 of 5" in text


def test_no_colour_and_no_style_where_that_is_asked_for(on_terminal: Any, tmp_path: Path) -> None:
    terminal = on_terminal(HOLD, 80, NO_COLOR="1")
    terminal.until(shows_a_table(terminal))
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.written)


def test_a_dumb_terminal_gets_plain_lines(on_terminal: Any) -> None:
    terminal = on_terminal("time.sleep(0.2)", 80, TERM="dumb")
    assert terminal.finish() == 0
    assert b"\x1b" not in terminal.written
    assert "microtune run: finished" in "\n".join(terminal.everything)


def test_ctrl_c_leaves_the_terminal_as_it_was_and_the_line_that_goes_on(on_terminal: Any, tmp_path: Path) -> None:
    terminal = on_terminal(HOLD, 200)
    terminal.until(shows_a_table(terminal))
    os.kill(terminal.process.pid, signal.SIGINT)
    (tmp_path / "go").touch()
    assert terminal.finish() != 0
    text = "\n".join(terminal.everything)
    assert f"go on with  microtune resume {tmp_path / 'run'}" in text
    assert not terminal.screen.cursor.hidden
    assert terminal.written.count(b"\x1b[?7l") == terminal.written.count(b"\x1b[?7h")


def test_of_several_objectives_all_are_in_the_table(on_terminal: Any, tmp_path: Path) -> None:
    terminal = on_terminal(HOLD, 80, metric=["loss", "size"], mode=["min", "max"])
    terminal.until(shows_a_table(terminal))
    assert any(line.split()[:5] == ["trial", "state", "iter", "loss", "size"] for line in terminal.lines)
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert "results.pareto_front()" in " ".join(terminal.everything)


def test_a_short_run_has_no_table_and_never_imports_rich(on_terminal: Any) -> None:
    terminal = on_terminal()
    assert terminal.finish() == 0
    assert "microtune run: finished" in "\n".join(terminal.everything)
    assert "False" in terminal.lines
    assert b"\x1b" not in terminal.written


def test_errors_that_go_to_a_file_stay_in_it(on_terminal: Any, tmp_path: Path) -> None:
    body = 'step == 1 and (os.dup2(os.open(folder / "err", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)); '
    terminal = on_terminal(body + 'print("to the file", file=sys.stderr); ' + HOLD, 80)
    terminal.until(shows_a_table(terminal))
    (tmp_path / "go").touch()
    assert terminal.finish() == 0
    assert (tmp_path / "err").read_text().count("to the file") == 15
    assert "to the file" not in "\n".join(terminal.everything)
