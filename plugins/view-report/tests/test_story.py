"""What the figures know of a run, against journals written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from microtune import Event, ResultGrid, RunError
from microtune_view_report.figures import curves, history, rungs, slices, timeline
from microtune_view_report.lives import Donor, rung_in
from microtune_view_report.story import story_of
from microtune_view_report.totals import totals

Make = Callable[..., Any]


def test_the_journal_is_read_once_for_all_figures_and_then_only_what_is_new(run_of_five: Make) -> None:
    run = run_of_five()
    grid = run.grid()
    for module in (history, curves, slices, rungs, timeline):
        module.figure(grid)
    assert run.reads == len(run.list)
    trial = run.start(5, {"lr": 0.5, "opt": {"kind": "adam"}, "width": 16})
    run.report(trial, 1, loss=0.5)
    assert max(x for trace in history.figure(grid).data for x in trace.x) == 5
    assert run.reads == len(run.list)


def test_every_trial_has_its_fate(run_of_five: Make) -> None:
    story = story_of(run_of_five().grid())
    fates = [life.fate for life in story.lives.values()]
    assert fates == ["completed", "stopped at rung 1", "stopped at rung 3", "failed", "completed"]


def test_elapsed_leaves_out_the_time_between_sessions_and_ends_what_a_killed_one_left_running(written: Make) -> None:
    run = written()
    trial = run.start(0, {"lr": 0.1})
    run.report(trial, 1, 10, loss=1.0)  # killed here
    run.now += 1_000_000
    run.add("changed", None, version=1, kernel="0.1.0", host="vm", pid=2, settings={"num_samples": 9})
    run.now += 5
    run.add("launched", trial, attempt=2)
    run.report(trial, 2, 20, loss=0.5)
    story = story_of(run.grid())
    assert story.elapsed == 10 + 5 + 20
    assert [(session.began, session.ended) for session in story.sessions] == [(0, 10), (10, 35)]
    life = story.lives[trial]
    assert [tuple(spell) for spell in life.spells] == [(0, 10, "interrupted")]
    assert life.launched == 15
    assert [result.at for result in life.results] == [10, 35]
    assert story.settings["num_samples"] == 9
    assert totals(story).worked == 30


def test_a_repeated_result_is_no_result(written: Make) -> None:
    run = written()
    trial = run.start(0, {"lr": 0.1})
    run.report(trial, 1, loss=1.0)
    run.add("result", trial, iteration=1, metrics={"loss": 2.0}, time_total_s=1.0, repeat=True)
    assert [r.metrics for r in story_of(run.grid()).lives[trial].results] == [{"loss": 1.0}]


def test_a_trial_that_takes_over_a_checkpoint_begins_a_new_line_with_its_donor(written: Make) -> None:
    run = written()
    a, b = run.start(0, {"lr": 0.1}), run.start(1, {"lr": 0.2})
    run.report(a, 1, loss=1.0, checkpoint="/c/a")
    run.report(b, 1, loss=2.0, checkpoint="/c/b")
    run.add("decided", b, decision="pause", reason="to copy a better member", by="pbt")
    run.add("resumed", b, config={"lr": 0.12}, checkpoint="/c/a", iteration=1)
    life = story_of(run.grid()).lives[b]
    assert [(line.config["lr"], line.began, line.donor) for line in life.lines] == [
        (0.2, 0, None),
        (0.12, 1, Donor(a, 1)),
    ]


def test_a_promoted_trial_goes_on_in_its_line(written: Make) -> None:
    run = written()
    trial = run.start(0, {"lr": 0.1})
    run.report(trial, 1, loss=1.0)
    run.add("decided", trial, decision="pause", reason="at rung 1", by="asha")
    story = story_of(run.grid())
    assert story.lives[trial].fate == "paused"
    run.add("resumed", trial)
    story.read(run.grid())
    assert (story.lives[trial].fate, len(story.lives[trial].lines)) == ("waiting", 1)


@pytest.mark.parametrize(
    ("reason", "place"),
    [("not among the best 1/4 at rung 9", (9, -1)), ("at rung 3 of bracket 0", (3, 0)), ("rung 0.5", (0.5, -1)),
     ("wrung 3", None), ("", None), (None, None)],
)  # fmt: skip
def test_the_rung_is_in_the_reason(reason: str | None, place: tuple[float, int] | None) -> None:
    assert rung_in(reason) == place


def test_the_time_saved_is_what_the_stopped_ones_would_have_taken(run_of_five: Make) -> None:
    # To iteration 9 at a second each: 8 for the one cut at rung 1, 6 for the one cut at rung 3; nothing for the failed one.
    assert totals(story_of(run_of_five().grid())).saved == 8 + 6


def test_loading_a_library_is_not_taken_for_the_pace_of_a_trial(written: Make) -> None:
    run = written()
    for number, (iterations, state) in enumerate([(10, "COMPLETED"), (1, "STOPPED")]):
        trial = run.start(number, {"lr": 0.1})
        for i in range(1, iterations + 1):
            run.add("result", trial, iteration=i, metrics={"loss": 1.0}, time_total_s=100.0 + i)
        run.end(trial, state)
    assert totals(story_of(run.grid())).saved == 9


def test_a_run_that_ended_before_it_began_says_so() -> None:
    class Empty:
        def events(self, after: int = 0) -> Any:
            return iter([Event(1, 0.0, "closed", None, {"reason": "x", "finished": False})][after:])

    with pytest.raises(RunError, match="ended before it began"):
        story_of(ResultGrid("/nowhere/run", source=Empty()))
