"""Which parameters matter."""

from __future__ import annotations

import math
import warnings
from typing import Any

import plotly.graph_objects as go

from microtune import Objective, ResultGrid, RunError
from microtune_view_report import telling
from microtune_view_report.dimensions import Dimension, dimensions
from microtune_view_report.lives import Life
from microtune_view_report.story import story_of
from microtune_view_report.theme import SERIES, drawing, escaped

FEWEST = 50  # trials; of fewer, the best tenth is less than five
MOST_TRIALS = 5000
MOST_BARS = 20


def figure(grid: ResultGrid, *, metric: str | None = None, mode: str | None = None) -> go.Figure:
    """How much each parameter has to do with a trial being among the best tenth (PED-ANOVA), by last values.

    Watanabe, Bansal, Hutter: "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", IJCAI
    2023, as Optuna has it: pip install 'microtune-view-report[importance]'. A parameter of a conditional branch is judged
    among the trials that took the branch. metric, mode: another one than the run's own, which it has all of.
    """
    story = story_of(grid)
    objective = telling.followed(story, metric, mode)
    shares: list[tuple[str, dict[str, float]]] = []
    for index, name in enumerate(objective.metrics):
        one = telling.single(objective, index)
        lives = [
            life for life in story.lives.values() if life.last and math.isfinite(one.score(life.last))
        ][-MOST_TRIALS:]  # fmt: skip
        if len(lives) >= FEWEST:
            shares.append((name, importances(lives, dimensions(story, lives), one)))
    if not any(each for _, each in shares):
        raise RunError(
            f"fewer than {FEWEST} trials have a finite value, or no parameter varies: importance would be a guess"
        )
    names = sorted(
        {name for _, each in shares for name in each}, key=lambda name: sum(each.get(name, 0) for _, each in shares)
    )
    names = names[-MOST_BARS:]
    traces = [
        go.Bar(
            x=[each.get(name, 0.0) for name in names], y=[escaped(name, 40) for name in names], orientation="h",
            name=escaped(metric, 40), marker_color=SERIES[i % len(SERIES)], showlegend=len(shares) > 1,
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        ) for i, (metric, each) in enumerate(shares)
    ]  # fmt: skip
    figure = drawing(
        traces, height=130 + 26 * len(names) * len(shares), barmode="group", margin_t=40 if len(shares) > 1 else 16,
        note="" if len(shares) > 1 else f"For {escaped(shares[0][0], 40)}. The shares of all parameters add up to 1.",
    )  # fmt: skip
    figure.update_xaxes(title_text="importance", rangemode="tozero")
    figure.update_yaxes(type="category", showgrid=False)
    return figure


def importances(lives: list[Life], found: list[Dimension], objective: Objective) -> dict[str, float]:
    """By the name of the parameter; they add up to 1, where any is above 0."""
    try:
        import optuna
    except ImportError as error:
        raise RunError(
            "the importance of parameters is Optuna's to work out: pip install 'microtune-view-report[importance]'"
        ) from error
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the evaluator is experimental, it says
            raw = {each.name: _judged(optuna, each, lives, objective) for each in found}
    finally:
        optuna.logging.set_verbosity(verbosity)
    total = sum(raw.values())
    return {name: value / total if total else 0.0 for name, value in raw.items()}


def _judged(optuna: Any, dimension: Dimension, lives: list[Life], objective: Objective) -> float:
    """A study of this one parameter: PED-ANOVA looks at each by itself, and so conditional ones have the trials they need."""
    if dimension.categories is not None:
        distribution = optuna.distributions.CategoricalDistribution(dimension.categories)
    else:
        real = [value for value in dimension.values if value is not None]
        distribution = optuna.distributions.FloatDistribution(float(min(real)), float(max(real)), log=dimension.log)
    trials = [
        optuna.trial.create_trial(
            params={"x": value if dimension.categories is not None else float(value)}, distributions={"x": distribution},
            value=objective.value(life.last) if life.last else None,
        )
        for life, value in zip(lives, dimension.values, strict=True) if value is not None
    ]  # fmt: skip
    if len(trials) < FEWEST:
        return 0.0
    study = optuna.create_study(direction="minimize" if objective.modes[0] == "min" else "maximize")
    study.add_trials(trials)
    shares = optuna.importance.PedAnovaImportanceEvaluator().evaluate(study)
    found = float(shares.get("x", 0.0))
    return found if math.isfinite(found) else 0.0
