"""All that the driver listens to: workers, their calls, Ray's word that one has ended, and signals."""

from __future__ import annotations

import selectors
import socket
from collections import deque

import ray

from microtune_execute_ray.door import Caller, Door
from microtune_execute_ray.frames import CHUNK
from microtune_execute_ray.handle import Handle


class Switchboard:
    def __init__(self) -> None:
        self.signalled = False
        self.callers: list[tuple[int, socket.socket]] = []  # the numbers of workers that have called, and their connections
        self.selector = selectors.DefaultSelector()
        self.door = Door(ray.util.get_node_ip_address(), self.selector)
        self._wakeup_fd: int | None = None
        # A byte arrives here whenever Ray has said, in a thread of its own, that a worker ended.
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self.selector.register(self._bell, selectors.EVENT_READ, self._bell)
        self._obituaries: deque[tuple[Handle, BaseException | None]] = deque()

    def wait(self, seconds: float) -> list[Handle]:
        """Wait until anybody has something to say, so long at most; the workers that have."""
        self.signalled = False
        talkers = []
        for key, events in self.selector.select(seconds):
            source = key.data
            if isinstance(source, Handle):
                if events & selectors.EVENT_WRITE:
                    source.send_on()
                if events & selectors.EVENT_READ:
                    talkers.append(source)
            elif source is self.door:
                self.door.answer()
            elif isinstance(source, Caller):
                number = self.door.hear(source)
                if number is not None:
                    self.callers.append((number, source.connection))
            elif source is self._bell:
                self._bell.recv(CHUNK)
            else:
                self.signalled = True
        return talkers

    def announce(self, handle: Handle, death: BaseException | None) -> None:
        """A worker has ended. In any thread."""
        self._obituaries.append((handle, death))
        try:
            self._ringer.send(b"!")
        except OSError:  # the bell is ringing, or this run is over
            pass

    def obituary(self) -> tuple[Handle, BaseException | None] | None:
        return self._obituaries.popleft() if self._obituaries else None

    def watch(self, wakeup_fd: int | None) -> None:
        if wakeup_fd == self._wakeup_fd:
            return
        if self._wakeup_fd is not None:
            self.selector.unregister(self._wakeup_fd)
        if wakeup_fd is not None:
            self.selector.register(wakeup_fd, selectors.EVENT_READ, None)
        self._wakeup_fd = wakeup_fd

    def close(self) -> None:
        for _, connection in self.callers:
            connection.close()
        self.door.close()
        self.selector.close()
        self._bell.close()
        self._ringer.close()
