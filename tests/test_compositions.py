"""Every searcher that is installed x every scheduler x every executor: each composition keeps its budget and can be resumed.

What a searcher or scheduler of its own does is its own tests' affair. Here nobody knows with whom it is composed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.catalog import catalog
from microtune.journal import Reader
from microtune.replay import State
from microtune.testing.contract import finish, killed

TRIALS = 9
SPACE = {"x": mt.uniform(0, 1), "rate": mt.loguniform(1e-4, 1e-1), "kind": mt.choice(["a", "b"])}
GRID = {"x": mt.grid_search([n / TRIALS for n in range(TRIALS)])}

# What each plugin is asked for; more than one composition of it where it has more than one nature.
SEARCHERS = {
    "random": ["random"], "grid": ["grid"], "optuna": ["optuna"], "hyperopt": ["hyperopt"], "nevergrad": ["nevergrad"],
    "bohb": ["bohb"], "ax": ["ax:method=random_search"],  # its models need a second a trial, and have tests of their own
}  # fmt: skip
SCHEDULERS = {
    "asha": ["asha:max_t=9,reduction_factor=3", "asha:max_t=9,reduction_factor=3,type=promotion"],
    "hyperband": ["hyperband:max_t=9,reduction_factor=3"],
    "median": ["median:grace_period=2"],
    "pbt": ["pbt:perturbation_interval=3"],
    "pb2": ["pb2:perturbation_interval=3"],
    "optuna": ["optuna:pruner=median"],
    "pbt-replay": [],  # replays one trial's schedule from a file
}
EXECUTORS = {"inline": ["inline"], "simulated": ["simulated:workers=3"], "local": ["local:workers=2"], "ray": ["ray"]}


def installed(role: str, asked: dict[str, list[str]]) -> list[str]:
    """How everything that is installed in this role is asked for. Something that nobody has thought of is an error."""
    names = sorted({entry.name for entry in catalog() if entry.role == role and entry.name != "climb"})  # the example's
    return [text for name in names for text in asked[name]]


SEARCHED = installed("searcher", SEARCHERS)
SCHEDULED = ["", *installed("scheduler", SCHEDULERS)]
EXECUTED = installed("executor", EXECUTORS)


def train(config):
    start = 0
    if (folder := mt.get_checkpoint()) is not None:
        start = int((folder / "step").read_text())
    for step in range(start + 1, 10):
        with mt.checkpoint_dir() as folder:
            (folder / "step").write_text(str(step))
            mt.report(loss=(config["x"] - 0.3) ** 2 + 1 / step, checkpoint=folder)


def tuner(folder: Path, searcher: str, scheduler: str, executor: str) -> mt.Tuner:
    space, trials = (GRID, 1) if searcher == "grid" else (SPACE, TRIALS)
    return mt.Tuner(
        train, param_space=space, metric="loss", mode="min", num_samples=trials, seed=3, loggers=[], searcher=searcher,
        scheduler=scheduler or None, executor=executor, storage_path=folder, name="run",
    )  # fmt: skip


def check(path: str) -> None:
    """The journal is legal from its first event to its last, and nobody was left waiting in it."""
    state, reader = State(path), Reader(path)
    reached: dict[str, int] = {}
    for event in reader.events():
        state.apply(event)  # refuses an illegal transition
        if event.kind in ("created", "resumed"):
            reached[event.trial] = event.body.get("iteration", reached.get(event.trial, 0))  # a donor's, perhaps
        elif event.kind == "result" and not event.body.get("repeat"):
            reached[event.trial] += 1
            assert event.body["iteration"] == reached[event.trial] <= 9, event
    reader.close()
    over = [state.counts[name] for name in ("COMPLETED", "STOPPED", "PAUSED")]
    assert sum(over) == state.created == TRIALS, state.counts


def story(path: str) -> list[Any]:
    """All that was decided, without the times and without what only a resume does."""
    reader = Reader(path)
    kinds = ("created", "resumed", "result", "decided", "ended")
    told = [(event.kind, event.trial, event.body) for event in reader.events() if event.kind in kinds]
    reader.close()
    return [
        (kind, trial, {key: value for key, value in body.items() if key not in ("time_total_s", "checkpoint")})
        for kind, trial, body in told
        if not body.get("repeat")
    ]


@pytest.mark.usefixtures("cluster", "by_value")
@pytest.mark.parametrize("executor", EXECUTED)
@pytest.mark.parametrize("scheduler", SCHEDULED)
@pytest.mark.parametrize("searcher", SEARCHED)
def test_any_searcher_works_with_any_scheduler_on_any_executor(
    searcher, scheduler, executor, tmp_path, record_property
):
    whole = finish(tuner(tmp_path / "whole", searcher, scheduler, executor))
    check(whole.path)
    image = killed(tuner(tmp_path / "parts", searcher, scheduler, executor), 20, tmp_path)
    resumed = mt.Tuner.restore(image, train)
    finish(resumed)
    check(os.fspath(image))
    if executor.startswith("simulated"):
        assert story(os.fspath(image)) == story(whole.path), "it is deterministic, and so is everyone else"
    record_property("composition", (searcher, scheduler, executor))  # for the table, which conftest.py prints
