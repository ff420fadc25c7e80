"""Trials that are known beforehand: a function of (config, step), or recorded curves. They need no thread and no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from microtune import (
    Assignment,
    Outcome,
    Terms,
    checkpoint_dir,
    checkpoint_iteration,
    get_checkpoint,
    report,
    run_trial,
)


class Curve:
    """A trainable that is a function of (config, step), with steps from 1.

    The function gives the metrics of that step, as a dict or as the objective's value, or None where the trial is over.
    `steps` ends it too. The state of such a trial is the number of its steps: it goes on from there after a pause, and has
    checkpoints as a Trainable class has them: on a pause, and where `checkpoints={"every": ..., "at_end": ...}` says so.

    It is a trainable for any executor; `simulated` steps it without a thread, and its checkpoints are mere names.
    """

    needs_checkpoint = False  # the kernel asks: a trial without one is not resumed from zero

    def __init__(self, function: Callable[[dict[str, Any], int], Any], *, steps: int | None = None) -> None:
        self.function = function
        self.steps = steps
        self.__name__ = getattr(function, "__name__", type(function).__name__)  # a run is called after its trainable

    def at(self, config: dict[str, Any], step: int) -> Any:
        """What is reported at this step; None: nothing, the trial is over."""
        if self.steps is not None and step > self.steps:
            return None
        return self.function(config, step)

    def __call__(self, config: dict[str, Any]) -> None:
        checkpoint = get_checkpoint()
        step = checkpoint_iteration(None if checkpoint is None else str(checkpoint))
        while (metrics := self.at(config, step := step + 1)) is not None:
            with checkpoint_dir() as folder:
                report(metrics, checkpoint=folder)


class Table(Curve):
    """A trainable that reads recorded curves: for each key a sequence of what it reports, one entry a step.

    key: the name of the parameter that is the key, the names of those that make up a key that is a tuple, or a function of
    the config. A config whose key has no curve fails.
    """

    def __init__(
        self, curves: Mapping[Any, Sequence[Any]], *, key: str | Sequence[str] | Callable[[dict[str, Any]], Any]
    ) -> None:
        super().__init__(self._recorded)
        self.curves = curves
        self.key = key
        self.__name__ = "table"

    def key_of(self, config: dict[str, Any]) -> Any:
        if callable(self.key):
            return self.key(config)
        if isinstance(self.key, str):
            return config[self.key]
        return tuple(config[name] for name in self.key)

    def _recorded(self, config: dict[str, Any], step: int) -> Any:
        key = self.key_of(config)
        if key not in self.curves:
            raise LookupError(
                f"no curve is recorded under {key!r}, the key of {config}: let param_space offer recorded configs only, or "
                "let key= name the nearest one"
            )
        curve = self.curves[key]
        return curve[step - 1] if step <= len(curve) else None


class Word(NamedTuple):
    """A report that a runner has ready."""

    metrics: dict[str, Any]
    iteration: int
    checkpoint: str | None


class CurveRunner:
    """Steps one trial after the other, as `microtune.TrialThread` does, without a thread."""

    def __init__(self, curve: Curve, terms: Terms) -> None:
        self._curve = curve
        self._terms = terms

    def begin(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._step = self._saved = assignment.iteration
        self._advance()

    def go(self, decision: str = "continue") -> None:
        if decision == "continue":
            self._advance()
            return
        wanted = decision == "pause" or self._terms.at_end
        self._word: Word | Outcome = Outcome(None, self._step, self._save() if wanted else None, None)

    def said(self, timeout: float = -1) -> Word | Outcome:
        return self._word

    def close(self, timeout: float) -> bool:
        return True

    def _advance(self) -> None:
        """One step is an attempt of its own that returns a value: what is returned is checked, and fails, as anywhere."""
        curve, step = self._curve, self._step + 1
        assignment = self._assignment._replace(iteration=self._step)
        metrics, _, _, failure = run_trial(lambda config: curve.at(config, step), assignment, self._terms, _silent)
        if metrics is None:
            checkpoint = self._save() if failure is None and self._terms.at_end else None
            self._word = Outcome(None, self._step, checkpoint, failure)
            return
        self._step = step
        every = self._terms.every
        self._word = Word(metrics, step, self._save() if every and step % every == 0 else None)

    def _save(self) -> str | None:
        """The name of a checkpoint, which no file belongs to; None where this step has one."""
        if self._saved == self._step:
            return None
        self._saved = self._step
        return f"simulated://{self._assignment.trial_id}/{self._step}-{self._assignment.attempt}"


def _silent(metrics: dict[str, Any], iteration: int, checkpoint: str | None) -> str:
    raise RuntimeError("a Curve is a function of (config, step) that returns its metrics: it must not call report()")
