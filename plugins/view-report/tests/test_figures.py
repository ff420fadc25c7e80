"""The figures, against what is known of the runs that they show."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from microtune import OptionError, RunError, Space, choice, uniform
from microtune_view_report.figures import (
    curves,
    history,
    importance,
    lineage,
    parallel,
    pareto,
    rungs,
    slices,
    timeline,
)

Make = Callable[..., Any]
ALL = (history, curves, parallel, slices, importance, rungs, lineage, pareto, timeline)


def points(trace: Any) -> list[tuple[Any, Any]]:
    return [pair for pair in zip(trace.x, trace.y, strict=True) if None not in pair]


def called(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


# --- history -------------------------------------------------------------------------------------------------------------


def test_the_incumbent_is_the_best_so_far(written: Make) -> None:
    rng = random.Random(3)
    for mode, best in (("min", min), ("max", max)):
        run, values = written(mode=mode), []
        for number in range(50):
            trial = run.start(number, {"lr": 0.1})
            values.append(rng.random())
            run.report(trial, 1, loss=values[-1])
            run.end(trial)
        steps = points(called(history.figure(run.grid()), "best so far"))
        so_far = dict(steps)
        shown = 0.0
        for number in range(50):
            shown = so_far.get(number, shown)
            assert shown == best(values[: number + 1])


def test_values_that_are_no_numbers_are_left_out_of_the_history(written: Make) -> None:
    run = written()
    for number, value in enumerate([math.nan, 3.0, math.inf, None, "x", -math.inf, 2.0]):
        run.report(run.start(number, {"lr": 0.1}), 1, loss=value)
    figure = history.figure(run.grid())
    assert points(called(figure, "running")) == [(1, 3.0), (6, 2.0)]


def test_history_by_time_puts_a_value_when_it_came(run_of_five: Make) -> None:
    figure = history.figure(run_of_five().grid(), x="time")
    assert points(called(figure, "completed")) == [(9, 1.6), (20, 1.0)]
    with pytest.raises(OptionError, match="'number' or 'time'"):
        history.figure(run_of_five().grid(), x="luck")  # type: ignore[arg-type]


def test_another_metric_can_be_followed(run_of_five: Make) -> None:
    figure = history.figure(run_of_five().grid(), metric="acc", mode="max")
    assert points(called(figure, "best so far"))[-1][1] == 1.0
    with pytest.raises(OptionError, match="say mode="):
        history.figure(run_of_five().grid(), metric="acc")


# --- curves --------------------------------------------------------------------------------------------------------------


def test_curves_have_every_result_and_a_gap_between_trials(run_of_five: Make) -> None:
    trace = called(curves.figure(run_of_five().grid()), "completed")
    assert list(trace.x) == [*range(1, 10), None, *range(1, 6), None]
    assert list(trace.y)[:9] == [5, 4, 3, 2.5, 2, 1.9, 1.8, 1.7, 1.6]
    assert {each.name for each in curves.figure(run_of_five().grid()).data} == {
        "completed", "stopped at rung 1", "stopped at rung 3", "failed"
    }  # fmt: skip


def test_ten_thousand_curves_are_thinned_and_the_figure_says_so(written: Make) -> None:
    run = written()
    for number in range(1000):
        trial = run.start(number, {"lr": 0.1})
        for iteration in range(1, 4):
            run.report(trial, iteration, loss=number / iteration)
        run.end(trial)
    figure = curves.figure(run.grid())
    assert list(figure.data[0].x).count(None) == curves.MOST_CURVES
    assert "240 of 1,000 curves are drawn" in figure.layout.annotations[0].text
    assert 0.0 in figure.data[0].y  # the best


# --- parameters ----------------------------------------------------------------------------------------------------------


def test_a_slice_has_only_the_trials_in_which_the_parameter_is_active(run_of_five: Make) -> None:
    figure = slices.figure(run_of_five().grid())
    lr, _, momentum, width = figure.data
    assert points(lr) == [(0.1, 1.6), (0.01, 9), (0.2, 2.9), (0.9, 7), (0.3, 1)]
    assert figure.layout.xaxis.type == "log"
    assert points(momentum) == [(0.5, 1.6), (0.9, 7), (0.2, 1)]
    assert figure.layout.xaxis4.ticktext == ("16", "32")
    assert [round(x) for x in width.x] == [0, 0, 1, 0, 1]


def test_only_the_named_slices_are_drawn(run_of_five: Make) -> None:
    assert len(slices.figure(run_of_five().grid(), parameters=["lr", "width"]).data) == 2


def test_parallel_coordinates_give_what_is_not_active_a_place_of_its_own(run_of_five: Make) -> None:
    lr, opt, momentum, width, loss = parallel.figure(run_of_five().grid()).data[0].dimensions
    assert list(lr.values) == pytest.approx([math.log10(x) for x in (0.1, 0.01, 0.2, 0.9, 0.3)])
    assert list(opt.values) == [0, 1, 1, 0, 0]
    assert momentum.ticktext[0] == "not active"
    assert [value == momentum.tickvals[0] for value in momentum.values] == [False, True, True, False, False]
    assert momentum.tickvals[0] < min(0.2, *momentum.tickvals[1:])
    assert list(width.values) == [0, 0, 1, 0, 1]
    assert list(loss.values) == [1.6, 9, 2.9, 7, 1]


def test_a_planted_parameter_is_the_important_one_also_in_a_branch(written: Make) -> None:
    rng = random.Random(5)
    space = Space({"x": uniform(0, 1), "noise": uniform(0, 1), "kind": choice([{"m": uniform(0, 1)}, {"k": "b"}])})
    run = written(param_space=space.to_json())
    for number in range(300):
        config = {"x": rng.random(), "noise": rng.random(), "kind": {"m": rng.random()} if number % 2 else {"k": "b"}}
        run.report(run.start(number, config), 1, loss=(config["x"] - 0.3) ** 2)
    bar = importance.figure(run.grid()).data[0]
    assert bar.y[-1] == "x"
    assert bar.x[-1] > 0.8
    assert sum(bar.x) == pytest.approx(1)
    assert set(bar.y) == {"x", "noise", "kind", "kind/m (branch 0)"}


def test_importance_of_a_few_trials_would_be_a_guess(run_of_five: Make) -> None:
    with pytest.raises(RunError, match="would be a guess"):
        importance.figure(run_of_five().grid())


# --- several metrics -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [["min", "max"], ["max", "min", "min"]])
def test_the_front_is_what_no_other_trial_dominates(written: Make, modes: list[str]) -> None:
    rng = random.Random(8)
    names = [f"m{i}" for i in range(len(modes))]
    run = written(metric=names, mode=modes)
    rows = [[rng.random() for _ in modes] for _ in range(80)]
    for number, row in enumerate(rows):
        run.report(run.start(number, {"lr": 0.1}), 1, **dict(zip(names, row, strict=True)))
    run.report(run.start(80, {"lr": 0.1}), 1, m0=math.nan, m1=0.0, m2=0.0)

    def signed(row: list[float]) -> list[float]:
        return [v if mode == "max" else -v for v, mode in zip(row, modes, strict=True)]

    front = {
        (row[0], row[1]) for row in rows
        if not any(all(o >= v for o, v in zip(signed(other), signed(row), strict=True)) for other in rows if other is not row)
    }  # fmt: skip
    figure = pareto.figure(run.grid())
    assert set(points(called(figure, "Pareto front"))) == front
    assert len(figure.data) == 2 * math.comb(len(modes), 2)
    assert len(points(figure.data[0])) == 80 - len(front)


def test_a_run_with_several_metrics_has_a_row_of_history_for_each(written: Make) -> None:
    run = written(metric=["loss", "acc"], mode=["min", "max"])
    for number in range(3):
        run.report(run.start(number, {"lr": 0.1}), 1, loss=number, acc=number)
    ends = [trace.y[-1] for trace in history.figure(run.grid()).data if trace.name == "best so far"]
    assert ends == [0, 2]


# --- every figure --------------------------------------------------------------------------------------------------------


SHOWN = {"one trial": (history, timeline), "nothing finite": (timeline,)}


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("case", ["no trials", "one trial", "only failures", "no results", "nothing finite"])
def test_a_run_with_nothing_to_show_gets_a_reason_or_a_figure(written: Make, module: Any, case: str) -> None:
    run = written()
    for number in range({"no trials": 0, "one trial": 1}.get(case, 3)):
        trial = run.start(number, {"lr": 0.1 + number, "opt": {"kind": "adam"}, "width": 16})
        if case == "one trial":
            run.report(trial, 1, loss=1.0)
        elif case == "nothing finite":
            run.report(trial, 1, loss=math.nan)
        elif case == "only failures":
            run.end(trial, "FAILED", "x", failure={"kind": "lost", "message": "x", "traceback": None})
    shown = module in SHOWN.get(case, ())
    with nullcontext() if shown else pytest.raises(RunError, match=r"\w+ \w+ \w+"):
        figure = module.figure(run.grid())
        assert any(trace.x is not None and len(trace.x) for trace in figure.data)


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
def test_what_a_run_holds_is_text_and_never_markup(written: Make, module: Any) -> None:
    evil = "<b>x</b><script>alert(1)</script>%{x}$a$"
    space = Space({evil: uniform(0, 1), "kind": choice([evil, "b"])})
    run = written(metric=[evil, "b"], mode=["min", "max"], param_space=space.to_json())
    if module is lineage:
        run = written(metric=evil, param_space=space.to_json())
    rng = random.Random(1)
    for number in range(60):
        trial = run.start(number, {evil: rng.random(), "kind": (evil, "b")[number % 2]})
        for iteration in (1, 2):
            run.report(trial, iteration, checkpoint=f"/{number}-{iteration}", **{evil: rng.random(), "b": rng.random()})
        run.add("decided", trial, decision="pause", reason=f"at rung 2 of bracket 0 {evil}", by=evil)
    run.add("resumed", "00001", config={evil: 0.5, "kind": "b"}, checkpoint="/0-2", iteration=2)
    shown = [*strings(module.figure(run.grid()).to_plotly_json())]
    assert not any("<script" in each or "<b>x" in each or "$a" in each for each in shown)
    templates = [
        trace.hovertemplate or "" for trace in module.figure(run.grid()).data if hasattr(trace, "hovertemplate")
    ]
    assert not any("script" in each and "%{x}$" in each for each in templates)
    if module not in (rungs, timeline):  # which show nothing that the user named
        assert any("&lt;script&gt;" in each for each in shown)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings(item)
