"""What travels between the driver, the template and the workers: plain tuples, each behind its length in four bytes.

marshal, because only plain data travels (a failure is text already) between processes of one interpreter, and it is four
times as fast as pickle.
"""

from __future__ import annotations

from marshal import dumps, loads
from typing import Any

# What a worker says. The first item of its tuples.
STARTED = 0  # (STARTED, pid): before it looks for a trial
LOADED = 1  # (LOADED,): it has the trainable and begins its first trial
REPORT = 2  # (REPORT, metrics, iteration, checkpoint): it waits for the decision
EXIT = 3  # (EXIT, metrics of a returned value, iteration, checkpoint, failure, seconds)

# What the template says.
EXITED = 4  # (EXITED, worker, pid, wait status)
BROKEN = 5  # (BROKEN, module, traceback): a module of `preload` cannot be imported

# What the template is told.
START = 6  # (START, worker), with the worker's file descriptors
KILL = 7  # (KILL, worker, [(seconds from now, signal), ...])

CHUNK = 1 << 16


def frame(content: tuple[Any, ...]) -> bytes:
    body = dumps(content)
    return len(body).to_bytes(4, "little") + body


class Inbox:
    """Frames out of a stream that may cut them anywhere."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._enough = 0  # bytes of `_rest` that it takes to go on

    def feed(self, data: bytes) -> list[tuple[Any, ...]]:
        """The frames that these bytes complete."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._enough:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        start, end = 0, len(data)
        if end > 4 and end == 4 + int.from_bytes(data[:4], "little"):  # one whole frame, as almost always
            return [loads(data[4:])]
        frames = []
        while start < end:
            stop = start + 4
            if stop <= end:
                stop += int.from_bytes(data[start:stop], "little")
            if stop > end:
                self._rest += data[start:]
                self._enough = stop - start
                break
            frames.append(loads(data[start + 4 : stop]))
            start = stop
        return frames
