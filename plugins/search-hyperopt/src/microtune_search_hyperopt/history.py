"""What hyperopt is told: a document for each trial, in its own vocabulary of states, statuses and losses."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

from hyperopt import JOB_STATE_DONE, JOB_STATE_RUNNING, STATUS_FAIL, STATUS_OK, STATUS_RUNNING, STATUS_SUSPENDED
from hyperopt.base import JOB_STATE_CANCEL, Trials, trials_from_docs

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)  # atpe subtracts the times of a document, to no purpose


@dataclass(slots=True)
class Measured:
    """A trial that has not completed, and the last that it reported. A loss of inf: nothing, or no number."""

    document: dict[str, Any]
    iteration: int = 0
    loss: float = math.inf


class History:
    """The documents are in the order in which the trials started, and a document's tid is its place in it."""

    def __init__(self) -> None:
        self._documents: list[dict[str, Any]] = []
        self._running: dict[str, Measured] = {}
        self._stopped: list[Measured] = []
        self._completed: list[float] = []  # the least and the greatest loss

    def __len__(self) -> int:
        return len(self._documents)

    def starts(self, trial_id: str, vals: dict[str, list[Any]]) -> None:
        """A trial was created, or resumed: with other values what it had reported is of another point."""
        known = self._running.get(trial_id)
        if known is None:
            document = _document(len(self._documents), vals)
            self._documents.append(document)
            self._running[trial_id] = Measured(document)
        elif known.document["misc"]["vals"] != vals:
            known.document["misc"].update(_values(known.document["tid"], vals))
            self._running[trial_id] = Measured(known.document)

    def measures(self, trial_id: str, iteration: int, loss: float) -> None:
        measured = self._running[trial_id]
        measured.iteration, measured.loss = iteration, loss

    def completes(self, trial_id: str) -> None:
        measured = self._running.pop(trial_id)
        if not math.isfinite(measured.loss):
            self._ends(measured, JOB_STATE_DONE, STATUS_FAIL)
            return
        self._ends(measured, JOB_STATE_DONE, STATUS_OK, loss=measured.loss)
        self._completed = [min([*self._completed, measured.loss]), max([*self._completed, measured.loss])]

    def stops(self, trial_id: str) -> None:
        measured = self._running.pop(trial_id)
        if not measured.iteration:  # it says nothing of its point
            self._ends(measured, JOB_STATE_CANCEL, STATUS_SUSPENDED)
        elif not math.isfinite(measured.loss):
            self._ends(measured, JOB_STATE_DONE, STATUS_FAIL)
        else:
            self._ends(measured, JOB_STATE_DONE, STATUS_SUSPENDED, true_loss=measured.loss, iteration=measured.iteration)
            self._stopped.append(measured)

    def fails(self, trial_id: str) -> None:
        self._ends(self._running.pop(trial_id), JOB_STATE_DONE, STATUS_FAIL)

    def trials(self) -> Trials:
        """Everything, as the algorithms read it."""
        self._rank()
        return trials_from_docs(self._documents, validate=False)

    def _ends(self, measured: Measured, state: int, status: str, **result: Any) -> None:
        measured.document["state"] = state
        measured.document["result"] = {"status": status, "loss": None, **result}

    def _rank(self) -> None:
        """Losses for the trials that were cut short, and for the running ones, which rank behind all that finished: the longer
        the better, and among equally long ones by what they reported.

        hyperopt's algorithms ask for the order of losses only (but for atpe, hence an ordinary spread).
        """
        behind = list(self._stopped)
        for each in self._running.values():
            each.document["result"]["loss"] = None
            if math.isfinite(each.loss):
                behind.append(each)
        low, high = self._completed or (0.0, 0.0)
        behind.sort(key=lambda each: (-each.iteration, each.loss))
        for place, each in enumerate(behind, 1):
            each.document["result"]["loss"] = high + ((high - low) or 1.0) * place / len(behind)


def _document(tid: int, vals: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        "state": JOB_STATE_RUNNING, "tid": tid, "spec": None, "result": {"status": STATUS_RUNNING, "loss": None},
        "misc": {"tid": tid, "cmd": None, "workdir": None, **_values(tid, vals)},
        "exp_key": None, "owner": None, "version": 0, "book_time": EPOCH, "refresh_time": EPOCH,
    }  # fmt: skip


def _values(tid: int, vals: dict[str, list[Any]]) -> dict[str, Any]:
    return {"vals": vals, "idxs": {label: [tid] if value else [] for label, value in vals.items()}}
