"""One run of MLflow's, and what is yet to be written there."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

METRICS, PARAMS = 900, 100  # of one request: MLflow takes 1,000 and 100, and 1,000 in all
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


class Page:
    """`seq`: of the last event that is there as a whole. `born`: of the event that it begins with. `line`: see Tracking."""

    def __init__(self, client: MlflowClient, run: Run) -> None:
        tags = run.data.tags
        self._client = client
        self.id: str = run.info.run_id
        self.line = int(tags.get("microtune.line", 1))
        self.born = int(tags.get("microtune.born", 0))
        self.seq = int(tags.get("microtune.seq", 0))
        self.status = self._written = str(run.info.status)
        self.ended_at = 0.0  # seconds
        self.metrics: list[Metric] = []
        self.params: list[Param] = []
        self._tags: dict[str, RunTag] = {}

    def tag(self, tags: list[RunTag]) -> None:
        self._tags.update((tag.key, tag) for tag in tags)

    def write(self, seq: int) -> None:
        """What there is; and, last of all, that everything up to `seq` is there.

        Killed on the way it is written again, which doubles nothing: stores in databases keep one of two metrics that are
        equal in name, value, step and time, as the second time's are.
        """
        if self.status != self._written:
            if self.status in ENDED:
                self._client.set_terminated(self.id, self.status, int(self.ended_at * 1000))
            else:
                self._client.update_run(self.id, self.status)
            self._written = self.status
        for first in range(0, len(self.params), PARAMS):
            self._client.log_batch(self.id, params=self.params[first : first + PARAMS])
        while len(self.metrics) > METRICS:
            self._client.log_batch(self.id, self.metrics[:METRICS])
            del self.metrics[:METRICS]
        last = RunTag("microtune.seq", str(seq))
        self._client.log_batch(self.id, self.metrics, tags=[*self._tags.values(), last])
        self.seq = seq
        self.metrics, self.params, self._tags = [], [], {}
