"""The driver's side of one worker, and of one attempt of a trial."""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass
from typing import Any

from microtune_execute_local import frames
from microtune_execute_local.kit import nameless_file

# A pipe of packets: whoever reads one has the whole of it and nothing else. There an order can be sent ahead, and taken back.
PACKETS = sys.platform.startswith("linux")
STACK = 20_000  # bytes, of a dump of all threads


@dataclass(slots=True, eq=False)
class Attempt:
    """One launch of a trial, until its exit is known. Times are the executor's clock."""

    order: int
    trial_id: str
    attempt: int
    need: dict[str, float]
    standard: bool  # it needs what the run's trials need by default
    assignment: tuple[Any, ...]
    handle: Handle | None = None
    began: float = 0.0
    heard: float = 0.0  # its last sign of life
    asks: bool = False  # it waits for a decision
    leave_by: float | None = None  # it was told to leave
    overdue: str | None = None  # why it is being killed

    def frame(self, gpus: str | None) -> bytes:
        return frames.frame((self.order, gpus, *self.assignment))


class Handle:
    """A worker process and the pipes to it, which are a third faster than sockets. Nothing here blocks."""

    def __init__(self, number: int, gpus: str | None, poll: select.poll) -> None:
        self.number = number
        self.pid: int | None = None  # once it has said so
        self.gpus = gpus  # its CUDA_VISIBLE_DEVICES; None: as it is
        self.current: Attempt | None = None
        self.next: Attempt | None = None  # sent ahead
        self.next_since = 0.0
        self.share: tuple[dict[str, float], tuple[str, ...]] | None = None  # what it holds of the machine
        self.dismissed = False  # it gets no more trials: it is ending, or being killed
        self.loaded = False  # it has the trainable
        self.proven = False  # it has brought a trial to its end
        self.talk, talk = os.pipe()  # what it says
        answers, self._answers = os.pipe()
        orders, self.orders = os.pipe2(os.O_CLOEXEC | os.O_DIRECT) if PACKETS else os.pipe()
        self._stack = nameless_file("microtune-stack")
        self.posting = [talk, answers, orders, self._stack]  # its own ends, until it has them
        # The other end of the orders, once more: the worker's read blocks, this one does not.
        self._unread = os.open(f"/proc/self/fd/{orders}", os.O_RDONLY | os.O_NONBLOCK) if PACKETS else None
        for fd in (self.talk, self._answers, self.orders):
            os.set_blocking(fd, False)
        self._unsent = memoryview(b"")  # of an order
        self._withheld = 0
        self._ahead = 0  # bytes of the order sent ahead
        self._inbox = frames.Inbox()
        self._poll = poll
        poll.register(self.talk, select.POLLIN)

    def send(self, order: bytes) -> None:
        """Send an order; what does not go through at once follows when `poll` names the pipe."""
        self._unsent = memoryview(order)
        if not self._send_on():
            self._poll.register(self.orders, select.POLLOUT)

    def send_on(self) -> None:
        if self._send_on():
            self._poll.unregister(self.orders)

    def _send_on(self) -> bool:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self.orders, self._unsent) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            pass  # it has died, which the template is about to say
        return True

    def send_ahead(self, order: bytes) -> bool:
        """Send an order that waits behind the present one, if it fits into one packet."""
        if len(order) > select.PIPE_BUF:
            return False
        try:
            self._ahead = os.write(self.orders, order)
        except BlockingIOError:
            return False
        return True

    def take_back(self) -> bool:
        """True if the order that was sent ahead had not been read; now it never will be."""
        if self._unread is None:
            return False
        import fcntl  # not on Windows, where this module must still be importable to say so
        import termios

        unread = int.from_bytes(fcntl.ioctl(self._unread, termios.FIONREAD, bytes(4)), sys.byteorder)
        # If it differs, that order has been read, or not even the one before it has.
        return unread == self._ahead and self._read_order()

    def withhold_orders(self) -> int:
        """Take back all that it has not read; how many orders these are, with those of an earlier call."""
        while self._unread is not None and self._read_order():
            self._withheld += 1
        return self._withheld

    def _read_order(self) -> bool:
        assert self._unread is not None
        try:
            return bool(os.read(self._unread, frames.CHUNK))
        except BlockingIOError:
            return False

    def answer(self, order: int, decision: str) -> None:
        try:
            os.write(self._answers, frames.frame((order, decision)))
        except BrokenPipeError:
            pass  # likewise

    def hear(self) -> list[tuple[Any, ...]] | None:
        """What it has said since, perhaps nothing whole yet; None where there is nothing more."""
        try:
            data = os.read(self.talk, frames.CHUNK)
            return self._inbox.feed(data) if data else None
        except BlockingIOError:
            return None
        except (EOFError, ValueError, TypeError):  # no frame: its trial has written into a file descriptor that is not its own
            return None

    def stack(self) -> str:
        """Where it hung or crashed, as far as it has written that down; the thread that runs trials is the last one there."""
        size = os.fstat(self._stack).st_size
        return os.pread(self._stack, STACK, max(0, size - STACK)).decode(errors="replace")

    def posted(self) -> None:
        """Its process has its own ends now; only with these closed is the end of that process seen."""
        for fd in self.posting[:3]:
            os.close(fd)
        self.posting = []

    def dismiss(self) -> None:
        """It ends after its present trial."""
        self.dismissed = True
        self.send(frames.frame(()))

    def deafen(self) -> None:
        """Nothing more is to be heard from it, nor does it take the rest of an order."""
        for fd in (self.talk, self.orders):
            try:
                self._poll.unregister(fd)
            except KeyError:
                pass

    def close(self) -> None:
        self.deafen()
        for fd in (self.talk, self._answers, self.orders, self._unread, self._stack):
            if fd is not None:
                os.close(fd)
