"""What every trial measured, as TensorBoard reads it, in the folder of the run."""

from __future__ import annotations

import os

from microtune import Event, Facts, RunError, hookimpl
from microtune_log_tensorboard import summaries
from microtune_log_tensorboard.curves import Curves


class TensorBoardLogger:
    """Writes scalars, HParams and errors of every trial into the folder tensorboard of the run.

    Each trial is one of TensorBoard's runs, named by its id; a step is a training_iteration, a wall time the `at` of the event.
    A trial that goes on with another config (population based training) becomes a run of its own from there, `<id>/line-2`
    and so on, so that TensorBoard's table never shows a metric beside a config that did not earn it. Each event is in the
    files before `log` returns, and there once.
    """

    def __init__(self) -> None:
        self._curves: Curves | None = None

    @hookimpl
    def setup(self, run: Facts) -> None:
        folder = os.path.join(os.path.realpath(run.path), "tensorboard")
        os.makedirs(folder, exist_ok=True)
        if not run.resumed and os.listdir(folder):
            raise RunError(f"{folder!r} holds the curves of another run, and this one is new: move it away")
        self._curves = Curves(folder, resumed=run.resumed)

    @hookimpl
    def log(self, event: Event) -> None:
        assert self._curves is not None
        seq, at, kind, trial, body = event
        if trial is None or kind not in _TOLD or body.get("repeat"):  # at an iteration whose values are there already
            return
        curve = self._curves.of(trial)
        if seq <= curve.seq:
            if kind == "ended":
                self._curves.forget(trial)
            return
        if kind == "result":
            curve.step = body["iteration"]
            self._curves.write(curve, seq, at, summaries.scalars(body["metrics"]))
        elif "config" in body:  # created, or resumed with another one
            if kind == "resumed":
                curve = self._curves.branch(curve)
            curve.step = body.get("iteration", 0)
            self._curves.write(curve, seq, at, summaries.session_start(curve.name, body["config"], at))
        elif kind == "resumed":
            if "iteration" in body:  # from an earlier checkpoint, with its own config
                curve.step = body["iteration"]
                self._curves.restart(curve, seq, at)
        else:
            values = [summaries.error(body["failure"])] if body.get("failure") else []
            if kind == "ended":
                values.append(summaries.session_end(body["state"], at))
            if values:
                self._curves.write(curve, seq, at, summaries.joined(values))
            if kind == "ended":
                self._curves.forget(trial)

    @hookimpl
    def teardown(self) -> None:
        if self._curves is not None:
            self._curves.close()


_TOLD = frozenset({"created", "resumed", "result", "interrupted", "ended"})
