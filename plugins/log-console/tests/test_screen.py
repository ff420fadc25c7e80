from __future__ import annotations

import sys
from typing import Any

import pytest

from microtune_log_console import screen as module
from microtune_log_console.screen import Screen


class Drawing:
    """A view whose drawings can be waited for."""

    def __init__(self, fails: bool = False) -> None:
        import threading

        self.drawn = threading.Event()
        self.fails = fails

    def draw(self, options: Any) -> str:
        self.drawn.set()
        if self.fails:
            raise RuntimeError("cannot draw")
        return "the table"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0)


def test_a_run_that_is_over_at_once_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 60)
    view = Drawing()
    screen = Screen(lambda: view)
    screen.open()
    screen.say("a line")
    assert screen.close() == ["a line"]
    assert not view.drawn.is_set()


def test_lines_stand_above_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for rich
    view = Drawing()
    screen = Screen(lambda: view)
    screen.say("[red]a line[/]")
    screen.open()
    assert view.drawn.wait(10)
    assert screen.close() == []
    printed = capsys.readouterr().out
    assert printed.index("[red]a line[/]") < printed.index("the table")


def test_what_goes_wrong_while_drawing_closes_it_and_is_kept() -> None:
    screen = Screen(lambda: Drawing(fails=True))
    screen.open()
    screen.say("a line")
    screen._thread.join(timeout=10)
    screen.say("another")
    assert screen.closed
    assert isinstance(screen.error, RuntimeError)
    assert "another" in screen.close()


def test_a_debugger_gets_the_terminal_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[object] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda *args: stopped.append((screen.closed, sys.stdout is out)))
    out, hook = sys.stdout, sys.breakpointhook
    view = Drawing()
    screen = Screen(lambda: view)
    screen.open()
    assert view.drawn.wait(10)
    breakpoint()
    assert stopped == [(True, True)]
    assert sys.breakpointhook is hook


def test_the_debugger_stops_where_breakpoint_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    import pdb

    frames: list[str] = []
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    monkeypatch.setattr(pdb.Pdb, "set_trace", lambda self, frame: frames.append(frame.f_code.co_name))
    screen = Screen(Drawing)
    screen.open()
    breakpoint()
    assert frames == ["test_the_debugger_stops_where_breakpoint_was_called"]
