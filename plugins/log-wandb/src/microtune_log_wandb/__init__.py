"""What every trial measured, as runs of Weights & Biases."""

from __future__ import annotations

from typing import Any

from microtune import Event, Facts, OptionError, Reader, RunError, hookimpl
from microtune_log_wandb.courier import Courier
from microtune_log_wandb.pages import Pages
from microtune_log_wandb.session import Session, reached


class WandbLogger:
    """Writes one of W&B's runs for every trial, in a group named as the run, in the background, each result once.

    project, entity: whose they are; else what WANDB_PROJECT, WANDB_ENTITY and W&B's settings say
    group: else the name of the run
    mode: "online" or "offline"; else what WANDB_MODE says, or online. The key is W&B's affair: `wandb login`, WANDB_API_KEY
    dir: where W&B makes its folder wandb; else the folder of the run
    tags: for every trial
    queue: how many events may wait for a slow network before the run waits too; 0: the run waits for each
    patience: seconds for what still waits when the run ends; a resume sends what was not sent
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        mode: str | None = None,
        dir: str | None = None,
        tags: list[str] | None = None,
        queue: int = 10_000,
        patience: float = 300.0,
    ) -> None:
        if mode not in (None, "online", "offline"):
            raise OptionError(f"logger 'wandb': mode={mode!r}, and it can be 'online' or 'offline'")
        if queue < 0 or patience < 0:
            raise OptionError(f"logger 'wandb': queue={queue} and patience={patience} must not be negative")
        self._options: dict[str, Any] = {"project": project, "entity": entity, "group": group, "dir": dir, "tags": tags}
        self._mode = mode
        self._queue = queue
        self._patience = patience
        self._seq = 0
        self._session: Session | None = None
        self._pages: Pages | None = None
        self._courier: Courier | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        self._session = Session(self._mode)
        given = {"group": run.name, "dir": run.path, "job_type": "trial", "mode": self._session.mode}
        options = {**given, **{name: value for name, value in self._options.items() if value is not None}}
        self._pages = Pages(run, self._session.offline, options["dir"], options)
        self._courier = Courier(self._pages.write, self._queue)
        if run.resumed:
            for event in Reader(run.path).events():
                if event.kind != "closed":  # the end of a session that this one continues
                    self.log(event)
                self._seq = event.seq

    @hookimpl
    def log(self, event: Event) -> None:
        assert self._courier is not None
        if event.seq > self._seq:
            self._seq = event.seq
            with reached():
                self._courier.send(event)

    @hookimpl
    def teardown(self) -> None:
        if self._session is None:
            return
        left = 0
        try:
            if self._courier is not None and self._pages is not None:
                with reached():
                    left = self._courier.close(self._patience)
                    if not left:
                        self._pages.close()
        finally:
            if not left:  # what still writes needs W&B's service, which ends with this process then
                self._session.close()
        if left:
            raise RunError(
                f"logger 'wandb': {left} events were not written within {self._patience:g} s. A resume of the run writes "
                f"them, also of one that is finished"
            )
