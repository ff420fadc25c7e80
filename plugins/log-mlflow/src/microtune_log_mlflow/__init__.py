"""What every trial measured, as runs of MLflow's."""

from __future__ import annotations

from microtune import Event, Facts, OptionError, Reader, RunError, hookimpl
from microtune_log_mlflow.checkpoints import CHOICES
from microtune_log_mlflow.courier import Courier
from microtune_log_mlflow.store import connect, experiment, place, refused
from microtune_log_mlflow.tracking import Tracking


class MLflowLogger:
    """Writes a parent run for the run and a nested one for every trial, in the background, each metric once.

    tracking_uri: where; else what mlflow.set_tracking_uri or MLFLOW_TRACKING_URI say; else mlflow/mlflow.db of the run
    experiment: its name; that of the run, if None
    tags: for the parent and for every trial
    artifacts: which checkpoints of a trial are uploaded: "none"; the "best" or the "last" one, when it ends; "all"
    queue: how many events may wait for a slow server before the run waits too; 0: the run waits for each
    patience: seconds for what still waits when the run ends; a resume sends what was not sent
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        tags: dict[str, str] | None = None,
        artifacts: str = "none",
        queue: int = 10_000,
        patience: float = 60.0,
    ) -> None:
        if artifacts not in CHOICES:
            raise OptionError(f"logger 'mlflow': artifacts={artifacts!r}, and it can be one of {', '.join(CHOICES)}")
        if queue < 0 or patience < 0:
            raise OptionError(f"logger 'mlflow': queue={queue} and patience={patience} must not be negative")
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._tags = tags or {}
        self._artifacts = artifacts
        self._queue = queue
        self._patience = patience
        self._place = ""
        self._seq = 0
        self._courier: Courier | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        if self._artifacts == "best":
            run.objective.single("logger 'mlflow' with artifacts='best'")
        uri = place(self._tracking_uri)
        self._place = uri or "in the folder of the run"
        with refused(self._place):
            client, artifacts = connect(run, uri)
            tracking = Tracking(client, run, self._tags, self._artifacts)
            if not tracking.find():
                tracking.begin(experiment(client, self._experiment or run.name, artifacts))
        self._seq = tracking.seq
        self._courier = Courier(tracking.write, self._queue)
        if (
            run.resumed
        ):  # what was still waiting when the run was killed: it is no more than `log` was told, but it was told
            for event in Reader(run.path).events(self._seq):
                self.log(event)

    @hookimpl
    def log(self, event: Event) -> None:
        assert self._courier is not None
        if event.seq > self._seq:
            self._seq = event.seq
            with refused(self._place):
                self._courier.send(event)

    @hookimpl
    def teardown(self) -> None:
        if self._courier is None:
            return
        with refused(self._place):
            left = self._courier.close(self._patience)
        if left:
            raise RunError(
                f"logger 'mlflow': {left} events did not get to {self._place} within {self._patience:g} s. A resume of the "
                f"run sends them, also of one that is finished"
            )
