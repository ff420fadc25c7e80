"""The driver's side of one worker, and of one attempt of a trial."""

from __future__ import annotations

import math
import selectors
import socket
from dataclasses import dataclass
from typing import Any

from microtune_execute_ray import frames
from microtune_execute_ray.needs import Need


@dataclass(slots=True, eq=False)
class Attempt:
    """One launch of a trial, until its exit is known. Times are the executor's clock."""

    order: int
    trial_id: str
    attempt: int
    need: Need
    assignment: tuple[Any, ...]
    handle: Handle | None = None
    began: float = 0.0
    heard: float = 0.0  # its last sign of life
    asks: bool = False  # it waits for a decision
    leave_by: float | None = None  # it was told to leave
    overdue: str | None = None  # why it is being killed


class Handle:
    """A worker: its actor, and once it has called, the connection to it. Nothing here blocks."""

    def __init__(self, number: int, need: Need) -> None:
        self.number = number
        self.need = need
        self.actor: Any = None
        self.group: Any = None  # its placement group, where it needs more than one bundle
        self.current: Attempt | None = None
        self.where = "a worker that had not called yet"
        self.loaded = False  # it has the trainable
        self.dismissed = False  # it gets no more trials: it is ending, or being killed
        self.stack = ""
        self.ended = False  # Ray has said so
        self.death: BaseException | None = None  # and how
        self.patience = math.inf  # it is on its way out: until when the rest of that is waited for
        self._connection: socket.socket | None = None
        self._selector: selectors.BaseSelector | None = None
        self._inbox = frames.Inbox()
        self._unsent = b""

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def connect(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        self._connection = connection
        self._selector = selector
        selector.register(connection, selectors.EVENT_READ, self)

    def hear(self) -> list[tuple[Any, ...]] | None:
        """What it has said since, perhaps nothing whole yet; None at the end of the connection."""
        assert self._connection is not None
        try:
            data = self._connection.recv(frames.CHUNK)
            return self._inbox.feed(data) if data else None
        except BlockingIOError:
            return []
        except (OSError, EOFError, ValueError, TypeError):  # reset; or no frame: a trial wrote into what is not its own
            return None

    def tell(self, *words: Any) -> None:
        """What does not go through at once follows when the selector names the connection."""
        if self._connection is None:
            return  # it has gone, as Ray is about to say
        if self._unsent:
            self._unsent += frames.frame(words)
            return
        self._unsent = frames.frame(words)
        self._send()
        if self._unsent:
            self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def send_on(self) -> None:
        self._send()
        if not self._unsent and self._connection is not None:
            self._watch(selectors.EVENT_READ)

    def _send(self) -> None:
        assert self._connection is not None
        try:
            sent = self._connection.send(self._unsent)
            self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:  # it has died, which the end of the connection is about to say
            self._unsent = b""

    def _watch(self, events: int) -> None:
        assert self._selector is not None
        assert self._connection is not None
        self._selector.modify(self._connection, events, self)

    def dismiss(self) -> None:
        """It ends after its present trial."""
        self.dismissed = True
        self.tell(frames.LEAVE)

    def disconnect(self) -> None:
        if self._connection is not None:
            assert self._selector is not None
            self._selector.unregister(self._connection)
            self._connection.close()
            self._connection = None
            self._unsent = b""
