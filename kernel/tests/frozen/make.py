"""Makes the frozen journal of this version: `python kernel/tests/frozen/make.py` writes VERSION.sql and VERSION.json beside it.

Run it once for each released version, and never again for that one: what it wrote is replayed for ever.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import microtune as mt
from microtune.journal import Journal, Reader
from microtune.replay import State
from microtune.testing import FakeExecutor, FakeSearcher

CONFIGS = [{"x": x / 10, "kind": kind} for x, kind in zip((1, 2, 3, 9, 4, 5, 6, 7, 8), "abababab" + "a", strict=True)]


def train(config):
    """Saves at every second step. The second trial fails at step 4, always; the fifth once."""
    number = mt.get_context().number
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, 6):
        if step == 4 and (number == 1 or (number == 5 and mt.get_context().attempt == 1)):
            raise ValueError(f"trial {number} fails at step 4")
        folder = mt.checkpoint_dir() if step % 2 == 0 else None
        if folder is not None:
            (folder / "step").write_text(str(step))
        mt.report(loss=float("nan") if step == 1 else config["x"] / step, note={"ü": [step, None, True]}, checkpoint=folder)


def small(config):
    return config["x"] < 0.85


SPACE = {"x": mt.uniform(0, 1), "kind": mt.choice(["a", "b"]), "fixed": {"deep": [1, "two"]}}


class Planner:
    """Stops the third trial, and the first where it ends anyway. Pauses the fifth and the seventh, sends the fifth on from
    another's checkpoint, and ends the run once.
    """

    def __init__(self, *, stop_at: float = 1e9) -> None:
        self.stop_at = stop_at
        self.paused: set[str] = set()
        self.moved: set[str] = set()
        self.donor = ""

    @mt.hookimpl
    def decide(self, trial, result):
        if result.at >= self.stop_at:
            return mt.StopRun("enough for today")
        if result.training_iteration == 2 and trial.number == 2:
            return mt.Stop("too slow")
        if result.training_iteration == 5 and trial.number == 0:
            return mt.Stop("that was all", finished=True)
        if result.training_iteration == 2 and trial.number in (4, 6) and trial.id not in self.moved:
            return mt.Pause("rung 1")
        return None

    @mt.hookimpl
    def on_start(self, trial):
        if trial.starts > 1:
            self.paused.discard(trial.id)
            self.moved.add(trial.id)

    @mt.hookimpl
    def on_result(self, trial, result):
        if trial.number == 0 and result.checkpoint:
            self.donor = result.checkpoint

    @mt.hookimpl
    def on_pause(self, trial):
        self.paused.add(trial.id)

    @mt.hookimpl
    def suggest(self):
        if self.donor and "00004" in self.paused:
            return mt.Resume("00004", config={"x": 0.25, "kind": "b"}, checkpoint=self.donor, resources={"cpu": 1})
        return None


class Broken:
    @mt.hookimpl
    def log(self, event):
        raise ValueError("a logger that does not work")


def plugins(**more):
    executor = FakeExecutor(workers=2, duration=lambda config, iteration: 1 + iteration / 8)
    return {"searcher": FakeSearcher(configs=CONFIGS), "executor": executor, "loggers": [], **more}


def space():
    return mt.Space(SPACE, constraints=[small])


def sessions(folder):
    """Three: one is ended by its scheduler, one comes to its end, and one is killed. Returns the folder as that left it."""
    mt.Tuner(
        train, param_space=space(), metric="loss", mode="min", num_samples=6, seed=1, name="run", storage_path=folder,
        max_failures=1, checkpoints={"keep": 1}, **plugins(scheduler=Planner(stop_at=12), loggers=[Broken()]),
    ).fit()  # fmt: skip
    run = f"{folder}/run"
    mt.Tuner.restore(run, train, param_space=space(), **plugins(scheduler=Planner())).fit()
    more = plugins(scheduler=Planner())
    last = mt.Tuner.restore(run, train, param_space=space(), num_samples=8, retry_failed=True, **more).open()
    for _ in range(9):
        last.step()
    shutil.copytree(run, f"{folder}/killed")
    last.close()
    return f"{folder}/killed"


def state_of(folder):
    """What the journal comes to: by the fold, and as results."""
    state = State(folder)
    reader = Reader(folder)
    for event in reader.events():
        state.apply(event)
        if event.kind == "ended":
            state.forget(event.trial)
    reader.close()
    grid = mt.ResultGrid(folder)
    text = json.dumps(
        {
            "seq": state.seq, "created": state.created, "uncounted": state.uncounted, "counts": state.counts,
            "elapsed": state.elapsed, "last_at": state.last_at, "restore_points": state.restore_points,
            "num_samples": state.settings["num_samples"],
            "unfinished": [
                {**life.trial._asdict(), "spent": life.spent, "latest": life.latest} for life in state.lives.values()
            ],
            "results": [
                [t.number, t.state, t.reason, t.config, repr(t.metrics), t.checkpoints, len(t.history)] for t in grid
            ],
            "best": grid.get_best_result().id,
        },
        indent=1, ensure_ascii=False,
    )  # fmt: skip
    return json.loads(text.replace(folder, "."))


def written_down(source, target):
    """The same journal without what names this machine: its host, the process, and the files of tracebacks."""
    reader, journal = Reader(source), Journal(target, create=True)
    for event in reader.events():
        body = event.body
        if "host" in body:
            body.update(host="frozen", pid=1, python="3")
        if "failure" in body:
            body["failure"]["traceback"] = "Traceback, without its files"
        text = json.dumps(body).replace(source, target)
        journal.append(event._replace(body=json.loads(text)))
    journal.commit()
    journal.set_loggers({"JsonLogger": 70})
    reader.close()
    journal.close()


def main():
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as place:
        target = os.path.join(place, "frozen")
        written_down(sessions(place), target)
        db = sqlite3.connect(os.path.join(target, "journal.db"))
        sql = "\n".join(db.iterdump()) + "\n"
        db.close()
        (here / f"{mt.__version__}.sql").write_text(sql, encoding="utf-8")
        state = json.dumps(state_of(target), indent=1, ensure_ascii=False) + "\n"
        (here / f"{mt.__version__}.json").write_text(state, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
