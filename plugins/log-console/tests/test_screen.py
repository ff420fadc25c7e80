from __future__ import annotations

import io
import sys
import threading
from typing import Any

import pytest

from microtune_log_console import screen as module
from microtune_log_console.screen import Screen


class Drawing:
    """A view whose drawings can be waited for."""

    def __init__(self, fails: bool = False) -> None:
        self.drawn = threading.Event()
        self.fails = fails

    def draw(self, options: Any, last: bool = False) -> str:
        self.drawn.set()
        if self.fails:
            raise RuntimeError("cannot draw")
        return "the last table" if last else "the table"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0)


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """No fixture: pytest puts its own sys.stdout there between the fixtures and the test."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    return out


def test_a_run_that_is_over_at_once_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE", 60)
    view = Drawing()
    screen = Screen(lambda: view, out)
    screen.open()
    screen.say("a line")
    assert screen.close() == ["a line"]
    assert not view.drawn.is_set()
    assert out.getvalue() == ""


def test_lines_stand_above_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    view = Drawing()
    screen = Screen(lambda: view, out)
    screen.say("[red]a line[/]")
    screen.open()
    assert view.drawn.wait(10)
    assert screen.close() == []
    printed = out.getvalue()
    assert printed.index("[red]a line[/]") < printed.index("the table") < printed.index("the last table")


def test_what_is_printed_meanwhile_stands_above_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    view = Drawing()
    screen = Screen(lambda: view, out)
    screen.open()
    assert view.drawn.wait(10)
    taken = sys.stdout
    print("10%\r20%\r", end="")
    print("30%\nand the be", end="")
    print("ginning of a line", end="")
    screen.close()
    assert sys.stdout is out
    for line in ("30%", "and the beginning of a line"):
        assert f"{line}\x1b[0m\x1b[K\r\n" in out.getvalue()
    assert "10%" not in out.getvalue()
    print("somebody held on to it", file=taken)
    assert out.getvalue().endswith("somebody held on to it\n")


def test_what_is_no_terminal_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    view = Drawing()
    screen = Screen(lambda: view, out)
    screen.open()
    assert view.drawn.wait(10)
    print("for the file", file=sys.stderr)
    assert file.getvalue() == "for the file\n"
    screen.close()
    assert "for the file" not in out.getvalue()


def test_what_goes_wrong_while_drawing_closes_it_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    screen = Screen(lambda: Drawing(fails=True), out)
    screen.open()
    screen.say("a line")
    screen._thread.join(timeout=10)
    screen.say("another")
    assert screen.closed
    assert isinstance(screen.error, RuntimeError)
    assert "another" in screen.close()
    assert out.getvalue().endswith("\x1b[?25h")  # the cursor is back
    assert sys.stdout is out


def test_a_debugger_gets_the_terminal_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    stopped: list[object] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda *args: stopped.append((screen.closed, sys.stdout is out)))
    hook = sys.breakpointhook
    view = Drawing()
    screen = Screen(lambda: view, out)
    screen.open()
    assert view.drawn.wait(10)
    breakpoint()
    assert stopped == [(True, True)]
    assert sys.breakpointhook is hook


def test_the_debugger_stops_where_breakpoint_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(monkeypatch)
    import pdb

    frames: list[str] = []
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    monkeypatch.setattr(pdb.Pdb, "set_trace", lambda self, frame: frames.append(frame.f_code.co_name))
    screen = Screen(Drawing, out)
    screen.open()
    breakpoint()
    assert frames == ["test_the_debugger_stops_where_breakpoint_was_called"]
