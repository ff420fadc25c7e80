"""The live table, as a rich renderable. Only `screen.py` imports this, once a table is to be seen: rich takes 60 ms to load.

Everything that comes from the run is a `Text`, never a string: rich would read "[red]" in a config as markup.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import ConsoleOptions, OverflowMethod
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from microtune_log_console.board import Board, Row
from microtune_log_console.plain import measured
from microtune_log_console.wording import clean, duration, first_line, number, one_line

AROUND = 8  # lines around the rows: what stands above and below them, and the prompt
COLOURS = {"running": "green", "failed": "red", "infeasible": "yellow"}
WIDEST = 14  # of a metric's column: a metric may be a long text


class View:
    """Draws a board. `now` says what time it is on the executor's clock."""

    def __init__(
        self, board: Board, now: Callable[[], float], rows: int, metrics: tuple[str, ...], parameters: tuple[str, ...]
    ):
        self._board = board
        self._now = now
        self._rows = rows
        self._metrics = tuple(dict.fromkeys((*board.run.objective.metrics, *metrics)))
        self._parameters = parameters

    def draw(self, options: ConsoleOptions) -> Padding:
        """Padding, since that is what a notebook can display."""
        text = Words(options)
        page = Table.grid(padding=(0, 0), expand=True)
        page.add_row(self._progress(text))
        page.add_row(self._counts(text))
        best = self._board.ranking(self._rows)
        if best:
            page.add_row(text("best  ", "bold", measured(self._board.run, best[0].result, self._metrics)))
            page.add_row(text("      ", "", one_line(best[0].trial.config, self._parameters)))
        if self._board.failure is not None:
            trial_id, message = self._board.failure
            page.add_row(
                text("", "red", f"{self._board.ended['FAILED']} failed; the first, {trial_id}: {first_line(message)}")
            )
        room = max(1, min(self._rows, options.size.height - AROUND)) if options.size.height else self._rows
        page.add_row(self._table(text, best, room))
        return Padding(page, (0, 0))

    def _progress(self, text: Words) -> Table:
        board, now = self._board, self._now()
        line = Table.grid(Column(ratio=1), Column(), padding=(0, 1), expand=True)
        left, total, part = board.left(now), board.run.limits.trials, board.progress(now)
        clock = duration(board.elapsed(now)) + (f", about {duration(left)} left" if left else "")
        done = f"{board.over}/{total}" if total else f"{board.over} trials"
        line.add_row(
            ProgressBar(total=1.0, completed=part) if part is not None else Text(), text("", "", f"{done}  {clock}")
        )
        return line

    def _counts(self, text: Words) -> Text:
        counts = self._board.counts().items()
        return Text("  ").join(
            text("", COLOURS.get(word, "") if count else "dim", f"{count} {word}") for word, count in counts
        )

    def _table(self, text: Words, best: list[Row], room: int) -> Table:
        ranked = best[: (room + 1) // 2]
        others = [row for row in self._board.running() if row not in ranked]
        rows = [*ranked, *others[: room - len(ranked)]]
        rows += best[len(ranked) : len(ranked) + room - len(rows)]
        rows = [row for row in best if row in rows] + [row for row in rows if row not in best]
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim")
        for name in ("trial", "state", "iter"):
            table.add_column(text("", "", name), no_wrap=True, justify="right" if name == "iter" else "left")
        for name in self._metrics:
            table.add_column(
                text("", "", name), no_wrap=True, justify="right", max_width=WIDEST, overflow=text.overflow
            )
        table.add_column(text("", "", "time"), no_wrap=True, justify="right")
        table.add_column(text("", "", "config"), no_wrap=True, ratio=1, overflow=text.overflow)
        for row in rows:
            state, result = row.state, row.result
            table.add_row(
                text("", "", row.trial.id),
                text("", COLOURS.get(state, ""), state),
                text("", "", str(row.trial.iteration)),
                *(text("", "", number(result.get(name)) if result else "") for name in self._metrics),
                text("", "", duration(result.time_total_s) if result else ""),
                text("", "", one_line(row.trial.config, self._parameters)),
            )
        hidden = len(self._board.running()) - sum(row.running for row in rows)
        if hidden > 0:
            table.add_row(text("", "dim", "..."), text("", "dim", f"{hidden} more"))
        return table


class Words:
    """Makes Texts of one line that the terminal's encoding can hold."""

    def __init__(self, options: ConsoleOptions) -> None:
        self._encoding = options.encoding
        self.overflow: OverflowMethod = "crop" if options.ascii_only else "ellipsis"  # an ellipsis is not ASCII

    def __call__(self, label: str, style: str, words: str) -> Text:
        held = clean(words).encode(self._encoding, "replace").decode(self._encoding)
        return Text.assemble((label, "dim"), (held, style), no_wrap=True, overflow=self.overflow)
