"""SIGINT, SIGTERM and SIGHUP: the first one drains the run, a second one forces its end."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

from microtune.kernel import say

# SIGHUP: the terminal was closed, or the connection to it. A user loses what he sees, and nothing more than by a SIGTERM.
HANGUP: int | None = getattr(signal, "SIGHUP", None)  # not on Windows
HANDLED = tuple(signum for signum in (signal.SIGINT, signal.SIGTERM, HANGUP) if signum is not None)


class Signals:
    """While entered, in the main thread only: `interrupt(signum)` at the first signal, an exception at the second.

    `wakeup_fd` becomes readable when one arrives, so that an executor's `wait` can return at once. A signal that is ignored
    stays so: nohup does that, and a shell script for what it starts in the background.
    """

    def __init__(self, interrupt: Callable[[int], None]) -> None:
        self.interrupt = interrupt
        self.received: int | None = None
        self.forced: int | None = None  # the second one
        self.wakeup_fd: int | None = None
        self._before: dict[int, Any] = {}
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            if sys.platform != "win32":  # there only sockets can be waited for
                self._pipe = os.pipe()
                for end in self._pipe:
                    os.set_blocking(end, False)
                self.wakeup_fd = self._pipe[0]
            for signum in HANDLED:
                if signal.getsignal(signum) != signal.SIG_IGN:
                    self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)  # None: not installed from Python
        if self._pipe is not None:
            for end in self._pipe:
                os.close(end)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if signum == HANGUP:  # the system and the shell send one each, and nobody is there to be impatient
                return
            self.forced = signum
            raise ended_by(signum)
        self.received = signum
        self.interrupt(signum)
        if self._pipe is not None:
            os.write(self._pipe[1], b"!")


def ended_by(signum: int, message: str = "") -> BaseException:
    """What the caller of fit() gets: KeyboardInterrupt, or SystemExit with the shell's code for the signal."""
    if signum == signal.SIGINT:
        return KeyboardInterrupt(message)
    leave = SystemExit(message)
    leave.code = 128 + signum
    return leave


def farewell(signum: int, path: str | None, begun: bool, lost: Sequence[str]) -> str:
    """How to go on with the run that this signal has ended; said here where the exception that follows says nothing.

    `path`: its folder, None where it was in memory; `lost`: the arguments that the journal cannot hold.
    """
    if path is None:
        how = "it was kept in memory only"
    elif not begun:
        how = "it had not begun"
    elif lost:
        how = f"go on with `Tuner.restore({path!r}, {', '.join(f'{name}=...' for name in lost)}).fit()`"
    else:
        how = f"go on with `microtune resume {shlex.quote(path)}`"
    message = f"the run was interrupted; {how}"
    if signum != signal.SIGINT:
        say.warning("%s", message)
    return message
