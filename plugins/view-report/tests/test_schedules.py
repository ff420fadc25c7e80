"""Rungs, lineage and the timeline, against what is known of the runs that they show."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from microtune import Space, uniform
from microtune_view_report.figures import lineage, rungs, timeline
from microtune_view_report.story import story_of

Make = Callable[..., Any]


def points(trace: Any) -> list[tuple[Any, Any]]:
    return [pair for pair in zip(trace.x, trace.y, strict=True) if None not in pair]


def called(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


# --- schedulers ----------------------------------------------------------------------------------------------------------


def test_rungs_count_who_came_and_who_was_cut(run_of_five: Make) -> None:
    figure = rungs.figure(run_of_five().grid())
    assert [name.partition("<br>") for name in called(figure, "cut").x] == [
        ("rung 1", "<br>", "5 came"), ("rung 3", "<br>", "3 came"), ("rung 9", "<br>", "1 came")
    ]  # fmt: skip
    assert called(figure, "cut").y == (1, 1, 0)
    assert called(figure, "went on").y == (4, 2, 1)


def test_brackets_are_shown_apart_and_a_trial_may_wait_in_one(written: Make) -> None:
    run = written()
    for number, bracket in enumerate([0, 0, 0, 1, 1]):
        trial = run.start(number, {"lr": 0.1})
        level = 1 if bracket == 0 else 3
        for iteration in range(1, level + 1):
            run.report(trial, iteration, loss=number)
        run.add("decided", trial, decision="pause", reason=f"at rung {level} of bracket {bracket}", by="hyperband")
    for number in (1, 2):
        run.end(f"{number:05}", "STOPPED", "not among the best at rung 1 of bracket 0")
    figure = rungs.figure(run.grid())
    assert [each.text for each in figure.layout.annotations] == ["bracket 0 from rung 1", "bracket 1 from rung 3"]
    assert [trace.y for trace in figure.data if trace.name == "cut"] == [(2,), (0,)]
    assert [trace.y for trace in figure.data if trace.name == "waits there"] == [(1,), (2,)]


def population(written: Make) -> Any:
    """0 trains to 4; 1 takes over 0 at 2 and goes on to 4; 2 takes over 1 at 3 and is the best."""
    run = written(param_space=Space({"lr": uniform(0, 1)}).to_json())
    for number in range(3):
        trial = run.start(number, {"lr": 0.1 * (number + 1)})
        for iteration in (1, 2):
            run.report(trial, iteration, loss=9 + number, checkpoint=f"/c/{number}-{iteration}")
    run.add("decided", "00001", decision="pause", reason="to copy a better member", by="pbt")
    run.add("resumed", "00001", config={"lr": 0.12}, checkpoint="/c/0-2", iteration=2)
    run.add("launched", "00001", attempt=2)
    run.report("00001", 3, loss=5, checkpoint="/c/1-3")
    run.report("00000", 3, loss=8)
    run.add("decided", "00002", decision="pause", reason="to copy a better member", by="pbt")
    run.add("resumed", "00002", config={"lr": 0.15}, checkpoint="/c/1-3", iteration=3)
    run.add("launched", "00002", attempt=2)
    run.report("00002", 4, loss=1)
    run.report("00001", 4, loss=4)
    return run


def test_the_descent_of_the_best_goes_through_its_donors(written: Make) -> None:
    story = story_of(population(written).grid())
    descent = lineage.ancestry(story, story.lives["00002"])
    assert [(life.number, line.config["lr"], began, until) for life, line, began, until in descent] == [
        (0, 0.1, 0, 2), (1, 0.12, 2, 3), (2, 0.15, 3, math.inf)
    ]  # fmt: skip


def test_lineage_draws_the_takeovers_the_descent_and_its_schedule(written: Make) -> None:
    figure = lineage.figure(population(written).grid())
    assert points(called(figure, "takes over")) == [(2, 0), (2, 1), (3, 1), (3, 2)]
    assert points(called(figure, "descent of the best")) == [(0, 0), (2, 0), (2, 1), (3, 1), (3, 2), (4, 2)]
    assert points(figure.data[-1]) == [(0, 0.1), (2, 0.1), (2, 0.12), (3, 0.12), (3, 0.15), (4, 0.15)]


def test_members_that_take_over_each_other_have_a_descent_with_an_end(written: Make) -> None:
    run = written()
    a, b = run.start(0, {"lr": 0.1}), run.start(1, {"lr": 0.2})
    run.report(a, 1, loss=1, checkpoint="/a")
    run.report(b, 1, loss=2, checkpoint="/b")
    for trial, path in ((a, "/b"), (b, "/a")):
        run.add("resumed", trial, config={"lr": 0.3}, checkpoint=path, iteration=1)
        run.report(trial, 2, loss=0.5)
    story = story_of(run.grid())
    assert [life.id for life, *_ in lineage.ancestry(story, story.lives[a])] == [b, a]


# --- time ----------------------------------------------------------------------------------------------------------------


def test_lanes_never_hold_two_trials_at_once_and_are_as_few_as_can_be(written: Make) -> None:
    rng = random.Random(2)
    run = written()
    events = []
    for number in range(200):
        began = rng.uniform(0, 100)
        events += [(began, "start", number), (began + rng.uniform(0.1, 9), "end", number)]
    running = most = 0
    for at, what, number in sorted(events):
        run.now = 1000.0 + at
        running += 1 if what == "start" else -1
        most = max(most, running)
        run.start(number, {"lr": 0.1}) if what == "start" else run.end(f"{number:05}")
    stays = timeline.on_lanes(story_of(run.grid()))
    assert 1 + max(stay.lane for stay in stays) == most
    for lane in range(most):
        mine = sorted(stay.spell[:2] for stay in stays if stay.lane == lane)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(mine))


def test_idle_is_the_share_of_the_time_in_which_no_trial_ran(written: Make) -> None:
    run = written()
    a, b = run.start(0, {"lr": 0.1}), run.start(1, {"lr": 0.1})
    run.report(a, 1, 4.0, loss=1)
    run.end(a)
    run.report(b, 1, 6.0, loss=1)
    run.end(b)
    figure = timeline.figure(run.grid())  # 4 + 10 of 20 seconds
    assert "2 lanes, idle 30.0% of 10 s" in figure.layout.annotations[0].text
    assert list(called(figure, "completed").x) == [4, 10]


def test_a_timeline_of_many_short_stays_is_drawn_in_few_bars_and_counts_all(written: Make) -> None:
    run = written()
    for number in range(6000):
        trial = run.start(number, {"lr": 0.1})
        run.now += 1
        run.end(trial)
    figure = timeline.figure(run.grid())
    assert sum(len(trace.x) for trace in figure.data) <= timeline.MOST
    assert sum(x for trace in figure.data for x in trace.x) * 60 == pytest.approx(6000)
    assert "idle 0.0%" in figure.layout.annotations[0].text
