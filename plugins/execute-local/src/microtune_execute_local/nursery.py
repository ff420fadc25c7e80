"""The driver's side of the template process."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import time

from microtune import OptionError
from microtune_execute_local import frames
from microtune_execute_local.boot import command
from microtune_execute_local.handle import Handle

STACK_S = 0.3  # to write a stack down, on a machine that is busy too
TERM_S = 1.0  # between SIGTERM and SIGKILL


class Nursery:
    """Starts workers, kills them, and hears how they ended. The process begins to start when this is constructed."""

    def __init__(self, kit: int, start: str, preload: list[str]) -> None:
        self.control, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                command("microtune_execute_local.template", there.fileno(), kit, start, preload),
                pass_fds=(there.fileno(), kit), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._inbox = frames.Inbox()

    def start(self, handle: Handle) -> None:
        try:
            socket.send_fds(self.control, [frames.frame((frames.START, handle.number))], handle.posting)
        except ConnectionError:
            pass  # the template has died, which `hear` is about to say
        handle.posted()

    def kill(self, handle: Handle, after: float = 0.0) -> None:
        """SIGTERM to the worker and all processes of its trial, SIGKILL if that does not help."""
        self._send_signals(handle, [(after, signal.SIGTERM), (after + TERM_S, signal.SIGKILL)])

    def kill_hung(self, handle: Handle) -> None:
        """The same, once the worker has written its stack down."""
        self._send_signals(handle, [(0.0, signal.SIGUSR2), (STACK_S, signal.SIGTERM), (STACK_S + TERM_S, signal.SIGKILL)])

    def _send_signals(self, handle: Handle, signals: list[tuple[float, int]]) -> None:
        try:
            self.control.send(frames.frame((frames.KILL, handle.number, [(s, int(what)) for s, what in signals])))
        except ConnectionError:
            pass

    def hear(self) -> list[tuple[int, int, int]] | None:
        """Workers that have ended, as (number, pid, wait status); None once the template is gone."""
        try:
            data = self.control.recv(frames.CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        if not data:
            return None
        ended = []
        for kind, *more in self._inbox.feed(data):
            if kind == frames.BROKEN:
                raise OptionError(f"preload: the worker processes cannot import {more[0]!r}\n{more[1]}")
            ended.append((more[0], more[1], more[2]))
        return ended

    def wait_for_end(self, workers: set[int], seconds: float) -> None:
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        until = time.monotonic() + seconds
        while workers and poll.poll(max(0.0, until - time.monotonic()) * 1000):
            ended = self.hear()
            if ended is None:
                return
            workers = workers.difference(number for number, _, _ in ended)

    def close(self) -> int:
        """Let the template kill what is left and end, in two seconds at most; its exit status."""
        self.control.close()
        try:
            return self._process.wait(2 * TERM_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
