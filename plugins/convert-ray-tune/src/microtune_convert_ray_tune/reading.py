"""The folder of an experiment as a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from microtune import Objective, OptionError, PastTrial, RunError, record_run
from microtune_convert_ray_tune.experiment import read_trials
from microtune_convert_ray_tune.observed import observed_space
from microtune_convert_ray_tune.state import read_state


def read(
    source: str, path: str, *, metric: str | list[str] | None = None, mode: str | list[str] | None = None
) -> None:
    """Write the experiment in the folder `source` as a run. Neither Ray nor a pickle is needed.

    metric: what it optimised; by default what its state says, which is nothing where tune_config named none
    mode: min or max, which no text in the folder says
    """
    folder = os.path.abspath(os.path.expanduser(source))
    if not os.path.isdir(folder):
        raise RunError(f"there is no folder {folder!r}")
    state = read_state(folder)
    trials = read_trials(folder, state)
    if not trials:
        raise RunError(
            f"there is no trial of Ray Tune in {folder!r}: give the folder of one experiment, in which each trial has a folder "
            "with a params.json or a result.json"
        )
    metric = metric or state.metric
    if metric is None:
        how = "say --from ray-tune:metric=NAME,mode=max"
        raise OptionError(f"nothing in {folder!r} says what was optimised: {how}. {_known(trials)}")
    if mode is None:
        how = "say --from ray-tune:mode=min, or max"
        raise OptionError(f"nothing in {folder!r} says whether {metric!r} was to be small or large: {how}")
    objective = Objective(metric, mode)
    if not any(objective.has(result) for trial in trials for result in trial.results):
        raise OptionError(f"no trial in {folder!r} has reported {metric!r}. {_known(trials)}")
    configs = [dict(trial.config) for trial in trials if trial.config]
    record_run(
        path, metric=metric, mode=mode, trials=trials, param_space=observed_space(configs),
        source=f"the Ray Tune experiment in {folder}",
    )  # fmt: skip


def _known(trials: Sequence[PastTrial]) -> str:
    names = sorted({name for trial in trials for result in trial.results[-1:] for name in _numbers(result.metrics, "")})
    return f"What was reported: {', '.join(names[:50]) or 'nothing'}"


def _numbers(metrics: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, value in metrics.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, (int, float)):
            yield f"{prefix}{key}"
