"""Where the live table is shown: a thread draws it a few times a second, so that an event costs the run nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

from microtune_log_console.captured import captured
from microtune_log_console.terminal import Terminal

PATIENCE = 0.3  # seconds: a run that is over by then needs no table, and rich is never loaded
EVERY = 0.125  # seconds between two drawings, of 2 ms each


class Screen:
    """Lines above, the table below. Nothing is printed by the caller's thread while it is open."""

    def __init__(self, make_view: Callable[[], Any], out: TextIO, notebook: bool = False) -> None:
        self._make_view = make_view
        self._out = out
        self._above: deque[str] = deque()
        self._closing = threading.Event()
        self.error: BaseException | None = None
        self._cell = _notebook_cell() if notebook else None
        self._breakpointhook = sys.breakpointhook
        self._thread = threading.Thread(target=self._guarded, name="microtune console", daemon=True)

    def open(self) -> None:
        sys.breakpointhook = self._on_breakpoint
        self._thread.start()

    def say(self, line: str) -> None:
        self._above.append(line)

    def close(self) -> list[str]:
        """Leave the last table where it is; answer the lines that were said and not shown yet."""
        if sys.breakpointhook == self._on_breakpoint:
            sys.breakpointhook = self._breakpointhook
        self._closing.set()
        self._thread.join()
        return list(self._above)

    @property
    def closed(self) -> bool:
        """It shows nothing any more: it was closed, or drawing failed with `error`."""
        return self._closing.is_set() or self.error is not None

    def _on_breakpoint(self, *args: Any, **kwargs: Any) -> Any:
        """A debugger in this process needs the terminal for itself."""
        self.close()
        if self._breakpointhook is sys.__breakpointhook__ and "PYTHONBREAKPOINT" not in os.environ:
            import pdb

            return pdb.Pdb().set_trace(sys._getframe(1))  # the hook itself would stop here, one frame too deep
        return self._breakpointhook(*args, **kwargs)

    def _guarded(self) -> None:
        try:
            if not self._closing.wait(PATIENCE):
                if self._cell is None:
                    self._on_terminal()
                else:
                    self._in_notebook(self._cell)
        except BaseException as error:
            self.error = error

    def _on_terminal(self) -> None:
        from rich.console import Console

        view, terminal = self._make_view(), Terminal(self._out)
        console = Console(file=self._out, force_terminal=True)

        def frame(last: bool = False) -> list[str]:
            width, height = terminal.size
            options = console.options.update(width=width, height=height)
            with console.capture() as drawn:
                console.print(view.draw(options, last=last), width=width, soft_wrap=False)
            return [line.rstrip(" ") for line in drawn.get().split("\n")[:-1]]

        with captured(self.say):
            try:
                while not self._closing.is_set():
                    terminal.paint(self._take(), frame())
                    self._closing.wait(EVERY)
                last = frame(last=True)
            except BaseException:
                terminal.abandon()
                raise
        terminal.leave(self._take(), last)

    def _in_notebook(self, cell: Any) -> None:
        from rich.console import Console

        view, console = self._make_view(), Console(force_jupyter=True)
        while True:
            for line in self._take():
                print(line)
            closing = self._closing.is_set()
            cell.update(view.draw(console.options, last=closing))
            if closing:
                return
            self._closing.wait(EVERY)

    def _take(self) -> list[str]:
        return [self._above.popleft() for _ in range(len(self._above))]


def _notebook_cell() -> Any:
    """The place of the table in the cell that runs now."""
    from IPython.display import HTML, display

    return display(HTML(""), display_id=True)


def in_notebook() -> bool:
    """Whether somebody sees this process through Jupyter, Colab or the like."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
