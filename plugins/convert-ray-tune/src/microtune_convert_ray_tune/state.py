"""What the driver wrote down of its trials: experiment_state-*.json, JSON in JSON, with pickles in it that stay as they are."""

from __future__ import annotations

import json
import os
import re
from glob import escape, glob
from typing import Any, NamedTuple


class State(NamedTuple):
    metric: Any = None  # the tune_config's
    trials: dict[str, dict[str, Any]] = {}  # noqa: RUF012  # by folder, or by id where there is no folder yet


def read_state(folder: str) -> State:
    """The newest that can be read; nothing where there is none: what the folders of the trials say is enough."""
    for path in sorted(glob(os.path.join(escape(folder), "experiment_state-*.json")), reverse=True):
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            return State(_metric(found), dict(map(_trial, found.get("trial_data") or found["checkpoints"])))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # half written, or of a version that nobody knows
            continue
    return State()


def _metric(found: dict[str, Any]) -> Any:
    metric = found.get("runner_data", {}).get("_metric")
    return metric if isinstance(metric, (str, list)) else None


def _trial(texts: Any) -> tuple[str, dict[str, Any]]:
    """Since Ray 2.4 a trial is two texts, what it is and what it has done; before it was one."""
    known: dict[str, Any] = {}
    for text in [texts] if isinstance(texts, str) else texts:
        known.update(json.loads(text))
    where = known.get("relative_logdir") or known.get("logdir") or known["trial_id"]
    return os.path.basename(str(where)), known


def plain(config: Any) -> dict[str, Any] | None:
    """The config, if there is no pickle in it."""
    return config if isinstance(config, dict) and not _PICKLED.search(json.dumps(config)) else None


_PICKLED = re.compile(r'"_type": "CLOUDPICKLE_FALLBACK"')
