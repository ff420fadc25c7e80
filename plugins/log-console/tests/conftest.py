from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyte
import pytest

from microtune import Event, Facts, Limits, Objective, Result, Space, Trial, uniform

if sys.platform != "win32":
    import fcntl
    import pty
    import termios


@pytest.fixture
def facts(tmp_path: Any) -> Callable[..., Facts]:
    def make(
        trials: int | None = 20, time: float | None = None, metric: Any = "loss", mode: Any = "min", **more: Any
    ) -> Facts:
        (tmp_path / "a run").mkdir(exist_ok=True)
        (tmp_path / "a run" / "journal.db").touch()
        settings: dict[str, Any] = {
            "id": "r", "name": "digits", "path": str(tmp_path / "a run"), "seed": 1, "space": Space({"lr": uniform(0, 1)}),
            "objective": Objective(metric, mode), "num_samples": trials, "limits": Limits(trials=trials, time=time),
            "resources": {"cpu": 1}, "trainable": print, **more,
        }  # fmt: skip
        return Facts(**settings)

    return make


class Telling:
    """Tells a listener (a board or a logger) the life of trials, the way a run does."""

    def __init__(self, run: Facts, listener: Any) -> None:
        self.run = run
        self.listener = listener
        self.trials: dict[int, Trial] = {}
        self.seq = 0
        self._is_board = hasattr(listener, "event")

    def event(self, kind: str, number: int | None = None, /, **body: Any) -> None:
        self.seq += 1
        event = Event(self.seq, self.run.now, kind, None if number is None else f"{number:05}", body)
        if self._is_board:
            self.listener.event(event)
        else:
            self.listener.log(self.run, event)

    def start(self, number: int, config: dict[str, Any] | None = None, *, launch: bool = True) -> None:
        old = self.trials.get(number)
        trial = Trial(f"{number:05}", number, config or {"lr": number / 100})
        if old is not None:
            trial = old._replace(starts=old.starts + 1)
        self.trials[number] = trial
        self.listener.start(trial) if self._is_board else self.listener.on_start(trial)
        self.event("created", number, number=number, config=trial.config)
        if launch:
            self.launch(number)

    def launch(self, number: int) -> None:
        trial = self.trials[number]
        self.trials[number] = trial._replace(state="RUNNING", attempt=trial.attempt + 1)
        self.event("launched", number, attempt=trial.attempt + 1)

    def result(self, number: int, loss: Any, iteration: int = 1, **metrics: Any) -> None:
        trial = self.trials[number] = self.trials[number]._replace(iteration=iteration)
        result = Result({"loss": loss, **metrics}, iteration, float(iteration), self.run.now)
        self.listener.result(trial, result) if self._is_board else self.listener.on_result(trial, result)
        self.event("result", number, iteration=iteration, metrics=result.metrics, time_total_s=result.time_total_s)

    def end(self, number: int, state: str = "COMPLETED", reason: str = "completed", *, log: bool = True) -> None:
        trial = self.trials[number] = self.trials[number]._replace(state=state, reason=reason)
        self.listener.end(trial) if self._is_board else self.listener.on_end(self.run, trial)
        if log:
            self.event("ended", number, state=state, reason=reason)


@pytest.fixture
def telling() -> type[Telling]:
    return Telling


PATIENCE = 30.0  # seconds, for what takes a fraction of one


class Emulator:
    """Runs a command on a pseudo-terminal and keeps what a terminal would show; `written` is all that it was sent."""

    def __init__(self, command: list[str], columns: int, lines: int = 24, **environment: str) -> None:
        self._master, self._slave = pty.openpty()
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.resize(columns, lines, told=False)
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            command, stdin=self._slave, stdout=self._slave, stderr=self._slave, start_new_session=True,
            env={**inherited, "TERM": "xterm-256color", **environment},
        )  # fmt: skip
        os.close(self._slave)

    def resize(self, columns: int, lines: int = 24, *, told: bool = True) -> None:
        """What stands there is wrapped anew by many terminals, and by none in the same way; pyte cuts it."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if told:
            self.screen.resize(lines, columns)
            os.killpg(self.process.pid, signal.SIGWINCH)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    @property
    def everything(self) -> list[str]:
        """With what has been scrolled away."""
        width = self.screen.columns
        gone = ["".join(line[x].data for x in range(width)).rstrip() for line in self.screen.history.top]
        return gone + self.lines

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "\n".join(self.everything)
            if not self._read():
                assert condition(), "\n".join(self.everything)

    def finish(self) -> int:
        """Its exit status."""
        end = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < end, "\n".join(self.everything)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        os.close(self._master)

    def _read(self) -> bool:
        """False where there is nobody left to write."""
        if not select.select([self._master], [], [], 0.2)[0]:
            return True
        try:
            part = os.read(self._master, 65536)
        except OSError:  # the last writer has closed it
            return False
        self.written += part
        self._stream.feed(part)
        return bool(part)


@pytest.fixture
def emulate() -> Iterator[Callable[..., Emulator]]:
    """emulate(command, columns, lines=24, **environment)"""
    started: list[Emulator] = []

    def start(*given: Any, **more: Any) -> Emulator:
        started.append(Emulator(*given, **more))
        return started[-1]

    yield start
    for each in started:
        each.close()
