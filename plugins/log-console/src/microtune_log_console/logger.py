"""The logger: hears the run, keeps the board, and speaks through a live table or plain lines."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from typing import Any, Literal

from microtune import Event, Facts, OptionError, Result, Trial, hookimpl
from microtune_log_console import plain
from microtune_log_console.board import Board
from microtune_log_console.screen import Screen, in_notebook
from microtune_log_console.wording import first_line, wrapped

LOUD = 3  # failures that are told one by one; the others are counted
ENDS = 5  # lines on single trials for one on the whole run: trials that end faster are not told one by one


class ConsoleLogger:
    """Shows how the run goes: a live table on a terminal or in a notebook, plain lines elsewhere, a summary at the end.

    style: "live" or "plain"; "auto": live where there is a terminal or a notebook.
    every: seconds between two plain lines.
    rows: of the live table, at most.
    quiet: say only what went wrong, on stderr.
    metrics: further metrics to show, beside those of the objective.
    parameters: the parameters of the config to show, nested names joined with slashes; none: all.
    """

    def __init__(
        self,
        *,
        style: Literal["auto", "live", "plain"] = "auto",
        every: float = 5.0,
        rows: int = 10,
        quiet: bool = False,
        metrics: tuple[str, ...] = (),
        parameters: tuple[str, ...] = (),
    ) -> None:
        if style not in ("auto", "live", "plain"):
            raise OptionError(f"logger 'console': style is {style!r}; it must be 'auto', 'live' or 'plain'")
        if not every > 0 or rows < 1:
            raise OptionError(f"logger 'console': every is {every!r} and rows is {rows!r}; both must be above zero")
        self._style = style
        self._every = every
        self._rows = rows
        self._quiet = quiet
        self._metrics = tuple(metrics)
        self._parameters = tuple(parameters)
        self._screen: Screen | None = None
        self._next = self._next_end = math.inf  # on the executor's clock
        self._real = False  # the executor's clock is that of the wall
        self._told = 0  # failures
        self._faults: list[str] = []
        self._closed: dict[str, Any] | None = None

    # --- the tells: microseconds each ----------------------------------------------------------------------------------

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        self._board.start(trial)

    @hookimpl
    def on_result(self, trial: Trial, result: Result) -> None:
        self._board.result(trial, result)

    @hookimpl
    def on_end(self, run: Facts, trial: Trial) -> None:
        row = self._board.end(trial)
        # Of a failure the event says more. On a resume nobody hears of the ends of earlier sessions: the time has not begun.
        if run.now >= self._next_end and trial.state != "FAILED" and self._plain:
            self._next_end = run.now + self._every / ENDS
            self._say(_short(plain.ended(run, row, self._metrics, self._parameters)))

    # --- the run -------------------------------------------------------------------------------------------------------

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._out = sys.stderr if self._quiet else sys.stdout
        self._board = Board(run, self._rows)
        if self._quiet:
            return
        for line in plain.header(run):
            self._say(line)
        notebook = in_notebook()
        if self._style == "live" or (self._style == "auto" and (notebook or _is_terminal(self._out))):
            self._screen = Screen(self._view, self._out, notebook)
            self._screen.open()

    @hookimpl
    def log(self, run: Facts, event: Event) -> None:
        kind = event.kind
        if kind != "result":
            self._board.event(event)
            if kind == "ended" and event.body["state"] == "FAILED":
                self._tell_failure(event, "failed")
            elif kind == "interrupted" and "failure" in event.body:
                self._tell_failure(event, "failed and is tried again")
            elif kind == "fault":
                self._tell_fault(event)
            elif kind == "closed":
                self._closed, self._next = event.body, math.inf  # the summary follows
            elif kind in ("opened", "changed"):
                self._closed = None
                self._next, self._next_end = run.now + self._every, run.now
                self._real = abs(time.time() - run.now) < 5  # not so in a simulation
        # By the time of the run, not of the event: on a resume those of earlier sessions may come at once.
        if run.now >= self._next:
            self._next = run.now + self._every
            if self._plain:
                self._say(_short(plain.status(self._board, run.now)))

    @hookimpl
    def teardown(self, run: Facts) -> None:
        if self._screen is not None:
            for line in self._screen.close():
                self._say(line)
            self._write("")
        if self._board.began is not None:  # else an error says why
            self._sum_up(run)
        if self._screen is not None and self._screen.error is not None:
            raise self._screen.error  # the kernel warns of it; the run itself is well

    def _sum_up(self, run: Facts) -> None:
        if not self._quiet:
            for line in plain.summary(self._board, run.now, self._closed):
                self._say(line)
        for line in plain.troubles(self._board, self._faults):
            self._say(line)
        if self._closed is None or not self._closed["finished"]:
            for line in plain.resume(self._board):
                self._say(line)

    # --- saying --------------------------------------------------------------------------------------------------------

    def _tell_failure(self, event: Event, what: str) -> None:
        self._told += 1
        if self._told <= LOUD:
            self._say(f"trial {event.trial} {what}: {first_line(event.body['reason'])}")
        elif self._told == LOUD + 1:
            self._say("further failures are counted, not told")

    def _tell_fault(self, event: Event) -> None:
        body = event.body
        about = f"trial {event.trial}: " if event.trial else ""
        self._faults.append(about + body["message"])
        if "plugin" not in body:  # the kernel itself warns of a plugin that it calls no more
            self._say(f"fault: {about}{first_line(body['message'])}")

    @property
    def _plain(self) -> bool:
        return not self._quiet and (self._screen is None or self._screen.closed)

    def _say(self, line: str) -> None:
        if self._screen is not None and not self._screen.closed:
            self._screen.say(line)
        else:
            for each in wrapped(line, shutil.get_terminal_size().columns) if _is_terminal(self._out) else [line]:
                self._write(each)

    def _write(self, line: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding), file=self._out, flush=True)

    # --- seeing --------------------------------------------------------------------------------------------------------

    def _view(self) -> Any:
        from microtune_log_console.view import View

        return View(self._board, self._now, self._rows, self._metrics, self._parameters)

    def _now(self) -> float:
        """The executor's clock, which moves in the executor's `wait` only, between two of its batches."""
        now = self._board.run.now
        return max(now, time.time()) if self._real else now


def _is_terminal(out: Any) -> bool:
    return bool(out.isatty()) and os.environ.get("TERM") not in ("dumb", "unknown")


def _short(line: str) -> str:
    """Cut to the terminal's width, where there is one."""
    width = shutil.get_terminal_size((200, 24)).columns
    return line if len(line) <= width else line[: width - 3] + "..."
