from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from microtune_log_console.board import Board
from microtune_log_console.view import View

HOSTILE = {"lr": 0.1, "[red]x": "[/] [bold]b[/bold] :smile: \x1b[2J", "ü→": "…★", "long": "y" * 300}


@pytest.fixture
def drawn(facts: Any, telling: Any) -> Any:
    """Draws a board with many trials and hostile values, as lines of text."""

    def draw(
        width: int, height: int = 24, encoding: str = "utf-8", rows: int = 10, running: int = 30, **console: Any
    ) -> list[str]:
        run = facts(trials=100, metric="loss", name="[red]name[/]")
        told = telling(run, Board(run, rows))
        told.event("opened")
        for number in range(40 + running):
            told.start(number, HOSTILE)
            told.result(number, number / 7, note="[/red]" * 20)
            if number < 40:
                state = ("COMPLETED", "STOPPED", "FAILED")[number % 3]
                told.end(number, state, "ValueError: [/] \x1b[2J\nmore")
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        screen = Console(file=file, width=width, height=height, **console)
        view = View(told.listener, lambda: 5.0, rows, ("note",), ())
        screen.print(view.draw(screen.options))
        file.flush()
        return file.buffer.getvalue().decode(encoding).splitlines()

    return draw


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_longer_than_the_terminal_is_wide(drawn: Any, width: int) -> None:
    assert max(map(len, drawn(width))) <= width


@pytest.mark.parametrize("height", [5, 12, 24, 60])
def test_the_table_fits_into_the_terminal(drawn: Any, height: int) -> None:
    assert len(drawn(80, height)) <= max(height, 9)


def test_a_config_that_looks_like_markup_is_shown_as_text(drawn: Any) -> None:
    text = "\n".join(drawn(200))
    assert "[red]x=[/] [bold]b[/bold] :s... ü→=…★" in text
    assert "ValueError: [/] \\x1b[2J ..." in text
    assert "[/red][/red]" in text
    assert "\x1b" not in text


def test_half_of_the_rows_are_the_best_and_the_rest_what_runs(drawn: Any) -> None:
    lines = [line.split() for line in drawn(80, 60) if line.startswith("0")]
    assert [line[0] for line in lines[:5]] == ["00000", "00001", "00002", "00003", "00004"]
    assert [line[1] for line in lines] == ["completed", "stopped", "failed", "completed", "stopped", *["running"] * 5]
    assert "and 25 more running" in map(str.rstrip, drawn(80, 60))


def test_what_runs_leaves_its_room_to_the_best(drawn: Any) -> None:
    lines = [line.split() for line in drawn(80, 60, running=1) if line.startswith("0")]
    assert [line[1] for line in lines].count("running") == 1
    assert len(lines) == 10


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_unicode_gets_what_it_can_show(drawn: Any, encoding: str) -> None:
    text = "\n".join(drawn(200, encoding=encoding))
    assert "?" in text
    assert "━" not in text


def test_no_color_is_honoured(drawn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = "\n".join(drawn(80, force_terminal=True, color_system="256"))
    assert "\x1b[32m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in "\n".join(drawn(80, force_terminal=True, color_system="256"))


def test_a_notebook_can_display_it(facts: Any, telling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = facts()
    told = telling(run, Board(run, 10))
    told.event("opened")
    told.start(0, {"tag": "<b>[red]"})
    told.result(0, 0.25)
    screen = Console(force_jupyter=True)
    monkeypatch.setattr("rich.jupyter.get_console", lambda: screen, raising=False)
    bundle = View(told.listener, lambda: 5.0, 10, (), ()).draw(screen.options)._repr_mimebundle_((), ())
    assert "tag=&lt;b&gt;[red]" in bundle["text/html"]
    assert "loss 0.25" in bundle["text/plain"]
