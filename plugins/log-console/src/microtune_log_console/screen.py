"""Where the live table is shown: a thread draws it twice a second, so that an event costs the run nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

PATIENCE = 0.3  # seconds: a run that is over by then needs no table, and rich is never loaded
EVERY = 0.4  # seconds between two drawings, of 12 ms each


class Screen:
    """Lines above, the table below. Nothing is printed by the caller's thread while it is open."""

    def __init__(self, make_view: Callable[[], Any], notebook: bool = False) -> None:
        self._make_view = make_view
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
                self._draw()
        except BaseException as error:
            self.error = error

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        view = self._make_view()
        cell = self._cell
        if cell is not None:
            console = Console(force_jupyter=True)
            self._repeat(print, lambda: cell.update(view.draw(console.options)))
            return
        console = Console()
        # Live would start a thread of its own; this one is enough.
        with Live(console=console, auto_refresh=False, get_renderable=lambda: view.draw(console.options)) as live:
            self._repeat(lambda line: console.print(Text(line)), live.refresh)

    def _repeat(self, say: Callable[[str], None], draw: Callable[[], None]) -> None:
        closing = False
        while not closing:
            while self._above:
                say(self._above.popleft())
            draw()
            closing = self._closing.wait(EVERY)
        draw()


def _notebook_cell() -> Any:
    """The place of the table in the cell that runs now."""
    from IPython.display import HTML, display

    return display(HTML(""), display_id=True)


def in_notebook() -> bool:
    """Whether somebody sees this process through Jupyter, Colab or the like."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
