"""Checkpoints on URLs are removed while the run goes on."""

from __future__ import annotations

import logging
import queue
import threading

from microtune import remote
from microtune.faults import RunError

say = logging.getLogger("microtune")


class Remover:
    """Removes checkpoints on URLs in a thread of its own, so that no run waits for it: what an executor does on `Discard`.

    What it does not come to, a resume of the run removes.
    """

    def __init__(self) -> None:
        self._urls: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def remove(self, url: str) -> None:
        """Soon. What fails is said in the log and stops nothing; a mere name, which no file belongs to, is nothing to do."""
        if not remote.is_url(url):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="microtune-remover", daemon=True)
            self._thread.start()
        self._urls.put(url)

    def close(self, timeout: float = 30.0) -> None:
        """Finish what is to do, within so many seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._urls.put(None)
        thread.join(timeout)
        if thread.is_alive():
            say.warning("about %d checkpoints are yet to be removed; a resume of the run does that", self._urls.qsize())

    def _work(self) -> None:
        while (url := self._urls.get()) is not None:
            try:
                remote.remove(url)
            except RunError as error:
                say.warning("%s. A resume of the run tries again.", error)
