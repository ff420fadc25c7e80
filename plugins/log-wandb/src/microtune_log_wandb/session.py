"""W&B's side of this process: its service, whether it may write online, and that it is gone in the end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import wandb

from microtune import RunError

say = logging.getLogger("microtune")
_PATIENCE = 10.0  # seconds, when all has been delivered
_OFFLINE = ("offline", "dryrun", "disabled")


class Session:
    """W&B has one service for a process and its children; it is ended here if it was begun here."""

    def __init__(self, mode: str | None) -> None:
        """`mode`: else what WANDB_MODE or W&B's settings say."""
        self._ours = "WANDB_SERVICE" not in os.environ
        chosen: dict[str, Any] = {"mode": mode} if mode is not None else {}
        settings = wandb.setup(settings=wandb.Settings(silent=True, **chosen) if self._ours else None).settings
        self.mode: str = mode or settings.mode
        self.offline = self.mode in _OFFLINE
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise

    def _log_in(self) -> None:
        if self.offline:
            return
        with reached():
            known = wandb.login(prompt=False)
        if not known:
            raise RunError(
                "logger 'wandb': this machine is not logged in to W&B: run `wandb login` or set WANDB_API_KEY. Without an "
                "account or a network, mode='offline' (or WANDB_MODE=offline) writes files for `wandb sync`"
            )

    def close(self) -> None:
        """Not while the program itself has a run of W&B's in this service."""
        if not self._ours or wandb.run is not None:
            return
        # It waits for the service without a bound, and a service that has lost its connection never hears that it is to end.
        ending = threading.Thread(target=_end_service, name="wandb-teardown", daemon=True)
        ending.start()
        ending.join(_PATIENCE)
        if ending.is_alive():
            say.warning("W&B's service does not end: it will with this process")


def _end_service() -> None:
    with suppress(SystemExit):  # with the code of a service that was killed
        wandb.teardown()


@contextmanager
def reached() -> Iterator[None]:
    """What W&B says against it, as one error that says what to do."""
    try:
        yield
    except wandb.Error as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(
            f"logger 'wandb': W&B did not take it: {told[0].rstrip('.')}. Without a network, "
            f"mode='offline' (or WANDB_MODE=offline) writes files for `wandb sync`"
        ) from error
