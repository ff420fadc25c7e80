from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from microtune import ResultGrid
from microtune.testing import LoggerContract

Rows = list[tuple[str, int, Any]]


class TestContract(LoggerContract):
    plugin = "tensorboard"

    def results(self, path: Path) -> Rows:
        """As TensorBoard's own reader tells them; a result is an event with neither HParams nor text."""
        found: Rows = []
        for file in sorted(path.glob("tensorboard/*/events.out.tfevents.*")):
            for event in EventFileLoader(str(file)).Load():
                plugins = {value.metadata.plugin_data.plugin_name for value in event.summary.value}
                if event.HasField("summary") and plugins <= {"scalars"}:
                    values = {value.tag: value.tensor.float_val[0] for value in event.summary.value}
                    found.append((file.parent.name, event.step, values.get("loss")))
        return found

    def compare(self, written: Rows | None, path: Path) -> None:
        """TensorBoard keeps single precision."""
        assert written is not None
        histories = ResultGrid(path).histories().items()
        journal = [(trial, row["training_iteration"], row.get("loss")) for trial, rows in histories for row in rows]
        assert by_trial(written) == by_trial(journal)


def by_trial(rows: Rows) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for trial, iteration, loss in rows:
        found[trial].append((int(iteration), "" if loss in (None, "") else repr(np.float32(loss))))
    return found
