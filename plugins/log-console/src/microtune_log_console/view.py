"""The live table, as a rich renderable. Only `screen.py` imports this, once a table is to be seen: rich takes 60 ms to load.

Everything that comes from the run is a `Text`, never a string: rich would read "[red]" in a config as markup.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from rich.console import ConsoleOptions, Group, OverflowMethod
from rich.padding import Padding
from rich.text import Text

from microtune_log_console.board import Board, Row
from microtune_log_console.columns import Column, laid_out
from microtune_log_console.plain import measured
from microtune_log_console.wording import clean, duration, first_line, number, one_line, pairs

AROUND = 9  # lines around the rows: what stands above and below them, and the prompt
COLOURS = {"running": "green", "failed": "red"}
LONGEST = 40  # columns of the progress bar
NARROW = 4  # a shorter bar says nothing
PARAMETERS = 40  # that the table has columns for, at most


class View:
    """Draws a board. `now` says what time it is on the executor's clock."""

    def __init__(
        self, board: Board, now: Callable[[], float], rows: int, metrics: tuple[str, ...], parameters: tuple[str, ...]
    ):
        self._board = board
        self._now = now
        self._rows = rows
        self._metrics = tuple(dict.fromkeys((*board.run.objective.metrics, *metrics)))
        self._wanted = parameters
        self._columns = [
            Column("trial"), Column("state"), Column("iter", right=True),
            *(Column(clean(name), right=True) for name in self._metrics), Column("time", right=True),
        ]  # fmt: skip
        self._parameters: dict[str, Column] = {}  # those of the rows that were drawn so far

    def draw(self, options: ConsoleOptions, last: bool = False) -> Padding:
        """Padding, since that is what a notebook can display. The last one has the trials alone: a summary follows."""
        text = Words(options)
        best = self._board.ranking(self._rows)
        lines = [] if last else self._state(text, best, options.max_width)
        room = max(1, min(self._rows, options.size.height - AROUND)) if options.size.height else self._rows
        lines += self._table(text, best, room, options.max_width)
        return Padding(Group(*lines), (0, 0), expand=False)

    def _state(self, text: Words, best: list[Row], width: int) -> list[Text]:
        lines = [
            self._counts(text),
            self._progress(text, width),
        ]  # the short one first: what others print may come upon it
        if best:
            lines.append(text("best  ", "bold", measured(self._board.run, best[0].result, self._metrics)))
            lines.append(text("      ", "", one_line(best[0].trial.config, self._wanted)))
        if self._board.failure is not None:
            trial_id, message = self._board.failure
            failed = self._board.ended["FAILED"]
            lines.append(text("", "red", f"{failed} failed; the first, {trial_id}: {first_line(message)}"))
        return lines

    def _progress(self, text: Words, width: int) -> Text:
        board, now = self._board, self._now()
        left, total, part = board.left(now), board.run.limits.trials, board.progress(now)
        done = f"{board.over}/{total} trials" if total else f"{board.over} trials"
        if len(board.live) > len(board.running()):
            done += f", {board.over + len(board.live)} begun"
        words = f"{done}  {duration(board.elapsed(now))}" + (f"  about {duration(left)} left" if left else "")
        length = min(LONGEST, width - len(words) - 2)
        if part is None or length < NARROW:
            return text("", "", words)
        full = int(part * length)
        bar = text("", "green", text.bar[0] * full) + text("", "dim", text.bar[1] * (length - full))
        return bar + text("", "", f"  {words}")

    def _counts(self, text: Words) -> Text:
        counts = {word: count for word, count in self._board.counts().items() if count or word == "running"}
        line = text("", "", "")
        for word, count in counts.items():
            line.append("  " if line else "").append(f"{count} {word}", COLOURS.get(word, "") if count else "dim")
        return line

    def _table(self, text: Words, best: list[Row], room: int, width: int) -> list[Text]:
        rows = self._chosen(best, room)
        if not rows:
            return []
        for row in rows:
            for name, _ in islice(pairs(row.trial.config, self._wanted), PARAMETERS):
                if name not in self._parameters and len(self._parameters) < PARAMETERS:
                    self._parameters[name] = Column(clean(name))
        columns = [*self._columns, *self._parameters.values()]
        head = [text("", "dim", column.name) for column in columns]
        lines = [head, *(self._cells(text, row, bool(best) and row is best[0]) for row in rows)]
        table = [*laid_out(columns, lines, width)]
        hidden = len(self._board.running()) - sum(row.running for row in rows)
        if hidden > 0:
            table.append(text("", "dim", f"and {hidden} more running"))
        return table

    def _chosen(self, best: list[Row], room: int) -> list[Row]:
        """Half of the room for the best, the rest for what runs; then more of the best."""
        ranked = best[: (room + 1) // 2]
        others = [row for row in self._board.running() if row not in ranked]
        rows = [*ranked, *others[: room - len(ranked)]]
        rows += best[len(ranked) : len(ranked) + room - len(rows)]
        return [row for row in best if row in rows] + [row for row in rows if row not in best]

    def _cells(self, text: Words, row: Row, is_best: bool) -> list[Text]:
        state, result = row.state, row.result
        config = dict(islice(pairs(row.trial.config, self._wanted), PARAMETERS))
        return [
            text("", "bold" if is_best else "", row.trial.id),
            text("", COLOURS.get(state, ""), state),
            text("", "", str(row.trial.iteration)),
            *(
                text("", "bold" if is_best else "", number(result.get(name)) if result else "")
                for name in self._metrics
            ),
            text("", "", duration(result.time_total_s) if result else ""),
            *(text("", "", number(config[name]) if name in config else "") for name in self._parameters),
        ]


class Words:
    """Makes Texts of one line that the terminal's encoding can hold."""

    def __init__(self, options: ConsoleOptions) -> None:
        self._encoding = options.encoding
        self.overflow: OverflowMethod = "crop" if options.ascii_only else "ellipsis"  # an ellipsis is not ASCII
        self.bar = ("=", ".") if options.ascii_only else ("━", "─")

    def __call__(self, label: str, style: str, words: str) -> Text:
        held = clean(words).encode(self._encoding, "replace").decode(self._encoding)
        return Text.assemble((label, "dim"), (held, style), no_wrap=True, overflow=self.overflow)
