"""The scheduler: a pruner of Optuna, asked at every result."""

from __future__ import annotations

from typing import Any

from optuna.pruners import BasePruner
from optuna.trial import TrialState

from microtune import Decision, Facts, OptionError, Result, Stop, Trial, hookimpl
from microtune_search_optuna.history import History
from microtune_search_optuna.named import PRUNERS, find, make
from microtune_search_optuna.quiet import quiet


class OptunaPruning:
    """The pruners of Optuna, by name with their own options, or an object.

    pruner: median, percentile, hyperband, successive_halving, patient, threshold, wilcoxon, nop; every further option is that
        pruner's own. Also a pruner
    time_attr: what Optuna's step is: training_iteration, or a metric that is an integer
    """

    def __init__(self, *, pruner: str | BasePruner = "median", time_attr: str = "training_iteration", **options: Any) -> None:
        self._pruner = _pruner(pruner, options)
        self._stop = Stop(f"pruned by {type(self._pruner).__name__}")
        self._time_attr = time_attr
        self._pruned: set[str] = set()  # trials whose last result the pruner would not go on from

    @hookimpl
    def setup(self, run: Facts) -> None:
        run.objective.single("optuna")
        self._history = History(run, self._pruner)

    @hookimpl
    def on_start(self, trial: Trial) -> None:
        if trial.starts == 1:
            self._history.start(trial.id, {}, {}, {})
        else:
            self._history.restart(trial.id, trial.iteration)

    @hookimpl
    def on_result(self, run: Facts, trial: Trial, result: Result) -> None:
        self._pruned.discard(trial.id)
        step = result.get(self._time_attr)
        if not isinstance(step, (int, float)) or step % 1 or not run.objective.has(result):
            return
        history = self._history
        number = history.report(trial.id, result, int(step))
        with quiet():  # here and not in `decide`, since a pruner may note in the study how far the trial has come
            if history.study.pruner.prune(history.study, history.storage.trials[number]):
                self._pruned.add(trial.id)

    @hookimpl
    def decide(self, trial: Trial) -> Decision | None:
        return self._stop if trial.id in self._pruned else None

    @hookimpl
    def on_end(self, trial: Trial) -> None:
        self._history.end(trial.id, self._state(trial))
        self._pruned.discard(trial.id)

    def _state(self, trial: Trial) -> TrialState:
        if trial.state == "STOPPED" and not trial.finished:
            return TrialState.PRUNED
        measured = self._history.values.get(trial.id) is not None
        return TrialState.COMPLETE if measured and trial.state != "FAILED" else TrialState.FAIL


def _pruner(pruner: str | BasePruner, options: dict[str, Any]) -> BasePruner:
    if not isinstance(pruner, str):
        if options:
            raise OptionError(f"optuna: {', '.join(options)} cannot be set for a pruner that is made already")
        return pruner
    with quiet():
        cls = find("pruner", PRUNERS, pruner, options)
        if pruner == "patient":
            wrapped = options.get("wrapped_pruner")
            options = {**options, "wrapped_pruner": _pruner(wrapped, {}) if isinstance(wrapped, str) else wrapped}
        made: BasePruner = make("pruner", pruner, cls, options)
    return made
