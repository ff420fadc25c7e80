"""What every worker of a run needs, written once by the driver into a file without a name that all workers inherit."""

from __future__ import annotations

import mmap
import os
import pickle
from typing import Any

from microtune_execute_local import frames


class Kit:
    """A frame with the settings of the run, then the pickled trainable, which a worker loads at its first trial."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, settings: tuple[Any, ...], trainable: bytes) -> None:
        with open(self.fd, "wb", closefd=False) as file:
            file.write(frames.frame(settings))
            file.write(trainable)

    def close(self) -> None:
        os.close(self.fd)

    def settings(self) -> tuple[Any, ...]:
        return frames.Inbox().feed(self._map()[: self._size_of_settings()])[0]

    def trainable(self) -> Any:
        return pickle.loads(self._map()[self._size_of_settings() :])

    def _size_of_settings(self) -> int:
        return 4 + int.from_bytes(self._map()[:4], "little")

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
