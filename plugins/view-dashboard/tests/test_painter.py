"""Figures, by fake ones that are installed for these tests."""

from __future__ import annotations

import sys
import threading

import pytest

import microtune as mt
from microtune.testing import fake_dist
from microtune_view_dashboard import painter as module
from microtune_view_dashboard.painter import History, Painter

from .conftest import SECONDS, make_run

FIGURES = """
import time, microtune as mt
class Figure:
    def __init__(self, text):
        self.text = text
    def to_json(self, validate=True):
        return self.text
def figure(grid):
    return Figure(f'{{"data": [{len(grid)}]}}')
def slow(grid):
    until = time.thread_time() + 0.5
    while time.thread_time() < until:
        pass
    return figure(grid)
def unfit(grid):
    raise mt.OptionError("it is not for this run")
def broken(grid):
    return 1 / 0
"""


@pytest.fixture
def figures(tmp_path, monkeypatch):
    path = tmp_path / "installed"
    points = {name: f"fake_figures:{name}" for name in ("figure", "slow", "unfit", "broken")}
    fake_dist(path, "fake-figures", "1.0", {"microtune.figures": points})
    (path / "fake_figures.py").write_text(FIGURES)
    monkeypatch.syspath_prepend(str(path))
    yield Painter()
    sys.modules.pop("fake_figures", None)


def ask(painter, run, name):
    return painter.paint(str(run), "id", name).result(SECONDS)


def test_a_figure_is_what_its_function_makes_of_the_run(figures, tmp_path):
    run = make_run(tmp_path, "run", [{"lr": 0.5}] * 3)
    assert {"figure", "slow", "unfit", "broken"} <= set(figures.names())
    done = ask(figures, run, "figure")
    assert done.text == '{"data": [3]}'
    assert done.seq == sum(1 for _ in mt.Reader(str(run)).events())


def test_one_that_does_not_fit_or_breaks_answers_for_itself_only(figures, tmp_path):
    run = make_run(tmp_path, "run", [{"lr": 0.5}])
    assert ask(figures, run, "unfit").problem == "it is not for this run"
    assert ask(figures, run, "broken").problem == "ZeroDivisionError: division by zero"
    assert ask(figures, run, "figure").text == '{"data": [1]}'


def test_a_costly_figure_is_painted_seldom(figures, tmp_path):
    ask(figures, make_run(tmp_path, "first", [{"lr": 0.5}]), "slow")  # which imports it: no measure of the next
    assert figures.pause() == 3.0
    cost = ask(figures, make_run(tmp_path, "second", [{"lr": 0.5}]), "slow").cost
    assert cost >= 0.5
    assert figures.pause() == pytest.approx(10 * cost)  # a tenth of a core


def test_a_recent_figure_is_given_again_and_an_old_one_only_if_there_is_news(figures, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    run = make_run(tmp_path, "run", [{"lr": 0.5}])
    first = ask(figures, run, "figure")
    now[0] += 10
    assert ask(figures, run, "figure") is first  # nothing new
    mt.Tuner.restore(
        run, lambda config: mt.report(accuracy=1), num_samples=2, loggers=(),
        searcher=mt.testing.FakeSearcher(configs=[{"lr": 1}] * 2), executor=mt.testing.FakeExecutor(),
    ).fit()  # fmt: skip
    second = ask(figures, run, "figure")
    assert second.text == '{"data": [2]}'
    now[0] += 2.9
    assert ask(figures, run, "figure") is second


def test_a_history_reads_what_is_new_and_nothing_twice(tmp_path, monkeypatch):
    run = make_run(tmp_path, "run", [{"lr": 0.5}] * 5)
    asked = []

    class Counted(mt.Reader):
        def events(self, after=0):
            for event in super().events(after):
                asked.append(event.seq)
                yield event

    monkeypatch.setattr(module, "Reader", Counted)
    history = History(str(run))
    history.grow()
    history.grow()
    assert asked == [*range(1, history.seq + 1)]
    assert [event.seq for event in history.events(after=3)] == asked[3:]
    assert len(history.grid) == 5


def test_painting_holds_up_no_end_of_the_process(figures, tmp_path):
    figures.paint(str(make_run(tmp_path, "run", [{"lr": 0.5}])), "id", "slow")
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "figures")


def test_of_many_runs_the_last_few_are_kept_in_memory(figures, tmp_path):
    for i in range(5):
        ask(figures, make_run(tmp_path, f"run{i}", [{"lr": 0.5}]), "figure")
    assert len(figures._histories) == 3
    assert {key[0] for key in figures._done} == set(figures._histories)
