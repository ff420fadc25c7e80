"""What every worker of a run needs, written once by the driver into a file without a name that all workers inherit."""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Sequence
from typing import Any

from microtune import put_together
from microtune_execute_local import frames

ALIGNED = 64  # bytes: what vector instructions like arrays to begin at


class Kit:
    """A frame with the settings of the run, one with the sizes of the parts of the trainable, and these parts.

    A worker asks for the parts at its first trial. It sees the file's own memory, so what it does not copy nobody copies.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, settings: tuple[Any, ...], trainable: Sequence[Any]) -> None:
        """The parts are bytes: the function or class, its parameters, and the memory that these share."""
        with open(self.fd, "wb", closefd=False) as file:
            file.write(frames.frame(settings))
            file.write(frames.frame(tuple(map(len, trainable))))
            for part in trainable:
                file.write(bytes(-file.tell() % ALIGNED))
                file.write(part)

    def close(self) -> None:
        os.close(self.fd)

    def settings(self) -> tuple[Any, ...]:
        return self._frame(0)[0]

    def trainable(self) -> Any:
        bare, parameters, *shared = self._parts()
        return put_together(pickle.loads(bare), pickle.loads(parameters, buffers=shared))

    def _parts(self) -> list[memoryview]:
        _, end = self._frame(0)
        sizes, end = self._frame(end)
        whole = memoryview(self._map())
        parts = []
        for size in sizes:
            start = end + -end % ALIGNED
            end = start + size
            parts.append(whole[start:end])
        return parts

    def _frame(self, start: int) -> tuple[tuple[Any, ...], int]:
        """The frame that begins there, and where it ends."""
        mapped = self._map()
        end = start + 4 + int.from_bytes(mapped[start : start + 4], "little")
        return frames.Inbox().feed(mapped[start:end])[0], end

    def _map(self) -> mmap.mmap:
        # Mapped, not read: all processes share one position in the file.
        return mmap.mmap(self.fd, 0, prot=mmap.PROT_READ)


def nameless_file(name: str) -> int:
    """A file descriptor; the file goes with the last copy of it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
