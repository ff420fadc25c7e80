"""The runs that are shown: those that were named, and those that lie or will lie in a folder that was named."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from microtune import MicrotuneError, OptionError, open_run, runs_in, storage_path
from microtune_view_dashboard.watched import JOURNAL, Watched

_EVERY = 1.0  # seconds between two looks at the disk, however many ask
TURN = 0.3  # seconds of reading at a time: long journals come piece by piece, and Ctrl-C waits for no more than this


class Shelf:
    """Safe to ask from many threads."""

    def __init__(self, paths: list[str]) -> None:
        self.runs: dict[str, Watched] = {}  # by key
        self.storages: list[str] = []
        self.lock = threading.RLock()  # held while a run is read, and by whoever looks at what was
        self._looked = float("-inf")
        for path in paths or [storage_path()]:
            self._add(path)

    def _add(self, path: str) -> None:
        folder = os.path.abspath(os.path.expanduser(path))
        if os.path.isdir(folder) and not os.path.exists(os.path.join(folder, JOURNAL)):
            self.storages.append(folder)
            return
        try:
            folder = folder if os.path.exists(os.path.join(folder, JOURNAL)) else open_run(path).path
        except MicrotuneError as error:
            raise OptionError(f"PATH {path!r}: {error}") from error
        self._show(folder)

    def _show(self, folder: str) -> None:
        run = Watched(folder)
        self.runs.setdefault(run.key, run)

    def refresh(self) -> None:
        """Read what is new, unless that was done within the last second."""
        with self.lock:
            now = time.monotonic()
            if now - self._looked < _EVERY:
                return
            for storage in self.storages:
                self._scan(storage)
            deadline = now + TURN
            unfinished = False
            for run in [*self.runs.values()]:
                run.poll(deadline)
                unfinished = unfinished or run.reading
            self._looked = float("-inf") if unfinished else time.monotonic()

    def _scan(self, storage: str) -> None:
        known = {run.path for run in self.runs.values()}
        with contextlib.suppress(OSError):  # the folder is going: its runs say so themselves
            for folder in runs_in(storage):
                if folder not in known:
                    self._show(folder)
