"""A driver that is killed after any commit and resumed: the same suggestions, results and decisions at the same moments."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeLogger, FakeSearcher
from microtune.testing.contract import finish
from microtune_execute_simulated import Curve, SimulatedExecutor

SOME = 15  # of the commits, for each kind of run
ALL = os.environ.get("MICROTUNE_KILL_POINTS") == "all"

COSTS = {"startup": 0.75, "saving": 0.5, "restoring": 1.25}
FAULTS = {"stragglers": 0.5, "crashes": 0.04, "preemptions": 0.06}


def curve(config, step):
    return {"loss": config["x"] + 1 / step, "took": 1 + (int(config["x"] * 1000) + 5 * step) % 7 / 8}


def train(config):
    """Has a checkpoint at every other step, and fails at its third the first time."""
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    marker = Path(mt.get_context().folder, "failed")
    for step in range(start + 1, 8):
        if step == 4 and config["x"] < 0.3 and not marker.exists():
            marker.touch()
            raise ValueError("this trial fails here once")
        folder = None
        if step % 2 == 0:
            folder = mt.checkpoint_dir()
            (folder / "step").write_text(str(step))
        mt.report(curve(config, step), checkpoint=folder)


class Photographer(mt.Modifier):
    """An executor in front of the simulated one: it keeps what a SIGKILL would leave on the disk after each commit."""

    def __init__(self, inner, album):
        super().__init__(inner)
        self.album = album

    def take(self, run):
        shutil.copytree(run.path, self.album / f"{len(os.listdir(self.album)):04d}")

    @mt.hookimpl
    def steer(self, run, trial, decision):  # follows upon the first commit of a turn
        self.take(run)
        super().steer(run, trial, decision)

    @mt.hookimpl
    def launch(self, run, trial):  # upon the second
        self.take(run)
        super().launch(run, trial)


class Afterwards(FakeLogger):
    """One that the run did not have before, so it hears the whole journal."""


def history(events):
    """Suggestions, results, decisions and failures; of a checkpoint its step, since it may be another attempt's."""
    told = []
    for event in events:
        body = {key: value for key, value in event.body.items() if key != "failure"}
        body.pop("time_total_s", None)  # the kernel's, from launch to launch, summed over sessions
        if "checkpoint" in body:
            body["checkpoint"] = os.path.basename(body["checkpoint"]).partition("-")[0]
        known = event.kind in ("created", "resumed", "decided", "ended") or (
            event.kind == "result" and "repeat" not in body
        )
        if known or "failure" in event.body:
            told.append((event.kind, event.trial, event.at, body))
    return told


RUNS = {
    "curve, paused": (Curve(curve, steps=7), {"seed": 3}, COSTS, True),
    "curve, faults, a time limit": (
        Curve(curve, steps=7),
        {"checkpoints": {"every": 1}, "trial_timeout_s": 9.5, "max_failures": 0},
        {"preemptions": 0.15, "startup": 0.5},
        False,
    ),
    "curve, checkpoints, faults": (Curve(curve, steps=7), {"checkpoints": {"every": 3}}, {**COSTS, **FAULTS}, False),
    "curve, paused, faults": (Curve(curve, steps=7), {"checkpoints": {"every": 2}}, {**COSTS, **FAULTS}, True),
    "function that fails, paused": (train, {}, {"startup": 0.75, "restoring": 1.25}, True),
    "function, faults": (train, {"param_space": {"x": mt.uniform(0.3, 1)}}, {**COSTS, **FAULTS}, False),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_killed_after_any_commit_decides_the_same_at_the_same_times(
    name, make, halving, tmp_path, caplog
):
    trainable, more, options, pauses = RUNS[name]

    def executor():
        return SimulatedExecutor(workers=3, seconds="took", **options)

    def given(**changes):
        return {"scheduler": halving(2, 4), **changes} if pauses else changes

    album = tmp_path / "album"
    album.mkdir()
    logger = FakeLogger()
    tuner = make(
        trainable, Photographer(executor(), album), num_samples=7, storage_path=tmp_path,
        **given(loggers=[logger], **{"max_failures": 9, **more}),
    )  # fmt: skip
    finish(tuner)
    whole = history(logger.events)
    kinds = {event.kind for event in logger.events}
    assert kinds >= ({"decided", "resumed"} if pauses else {"result"})
    assert ("interrupted" in kinds) == ("fail" in name or "faults" in name)
    images = sorted(album.iterdir())
    assert len(images) > 40
    for image in images if ALL else images[:: len(images) // SOME]:
        logger = Afterwards()
        finish(mt.Tuner.restore(
            image, trainable, executor=executor(), searcher=FakeSearcher(), **given(loggers=[logger])
        ))  # fmt: skip
        assert history(logger.events) == whole, image.name
    if isinstance(trainable, Curve):  # it goes on at its step, also if the kill came before its checkpoint
        assert "from ZERO" not in caplog.text
