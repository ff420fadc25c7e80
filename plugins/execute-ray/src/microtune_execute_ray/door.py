"""Where workers call: a TCP port of this program, and a token without which nobody is let in."""

from __future__ import annotations

import hmac
import os
import selectors
import socket

from microtune_execute_ray.frames import HELLO, TOKEN


class Caller:
    """A connection that has not said yet whose it is."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.said = b""


class Door:
    """`address`: on the network by which the cluster knows this node, so that workers on other nodes find it."""

    def __init__(self, host: str, selector: selectors.BaseSelector) -> None:
        self._token = os.urandom(TOKEN)
        self._selector = selector
        self._socket = socket.create_server((host, 0), backlog=1024)
        self._socket.setblocking(False)
        self._callers: set[Caller] = set()
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        selector.register(self._socket, selectors.EVENT_READ, self)

    def hello(self, number: int) -> bytes:
        """What the worker of that number says first."""
        return self._token + number.to_bytes(HELLO - TOKEN, "little")

    def answer(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # it has hung up already
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller = Caller(connection)
        self._callers.add(caller)
        self._selector.register(connection, selectors.EVENT_READ, caller)

    def hear(self, caller: Caller) -> int | None:
        """The number of the worker that calls, whose connection is let in then. Who says anything else is cut off."""
        try:
            said = caller.connection.recv(HELLO - len(caller.said))
        except BlockingIOError:
            return None
        except OSError:
            said = b""
        caller.said += said
        if said and len(caller.said) < HELLO:
            return None
        self._callers.discard(caller)
        self._selector.unregister(caller.connection)
        if said and hmac.compare_digest(caller.said[:TOKEN], self._token):
            return int.from_bytes(caller.said[TOKEN:], "little")
        caller.connection.close()
        return None

    def close(self) -> None:
        for caller in self._callers:
            caller.connection.close()
        self._socket.close()
