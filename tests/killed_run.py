"""The driver that test_kill_and_resume.py kills: `python killed_run.py FOLDER KIND start|resume [before|after N]`.

It kills itself just before or right after its N-th commit, with SIGKILL, so nothing of it is cleaned up. A driver that comes to
its end prints the number of its commits.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import microtune as mt
from microtune.journal import Journal
from microtune.testing import FakeExecutor

STEPS, SAVED_EVERY, TRIALS = 9, 2, 14
SPACE = {
    "x": mt.uniform(0, 1),
    "once": mt.choice([0, 1, 4]),  # the step at which it fails the first time
    "always": mt.choice([0, 4], weights=[5, 1]),  # the step at which it fails every time
}
# The worst first, so that a rung lets through those that fail.
POINTS = [{"x": 0.5, "once": 1, "always": 0}, {"x": 0.06, "once": 4, "always": 0}, {"x": 0.05, "once": 0, "always": 4}]


def irregular(config, iteration):
    """Seconds, in eighths, of which sums are exact."""
    return (3 + (int(config["x"] * 1000) + iteration * 5) % 7) / 8


KINDS = {
    f"{scheduler} on {executor}": (f"asha:max_t=16,reduction_factor=2,type={scheduler}", executor)
    for executor in ("virtual", "local")
    for scheduler in ("stopping", "promotion")
}


def train(config):
    """Writes down each step that it evaluates, in a file that no resume knows of."""
    trial = mt.get_context()
    os.makedirs(trial.folder, exist_ok=True)
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, STEPS + 1):
        with open(os.path.join(trial.folder, "evaluated"), "a") as file:
            file.write(f"{trial.attempt} {step}\n")
        if step == config["always"]:
            raise ValueError("this trial always fails here")
        marker = Path(trial.folder, "failed")
        if step == config["once"] and not marker.exists():
            marker.touch()
            raise ValueError("this trial fails here once")
        saved = None
        if step % SAVED_EVERY == 0:
            saved = mt.checkpoint_dir()
            (saved / "step").write_text(str(step))
        mt.report(loss=config["x"] + 1 / step, checkpoint=saved)


def tuner(folder: str, kind: str, *, resume: bool) -> mt.Tuner:
    scheduler, where = KINDS[kind]
    executor = FakeExecutor(workers=3, duration=irregular) if where == "virtual" else "local:workers=2"
    if resume:
        return mt.Tuner.restore(folder, train, executor=executor)
    storage, name = os.path.split(folder)
    return mt.Tuner(
        train, param_space=SPACE, metric="loss", mode="min", num_samples=TRIALS, points_to_evaluate=POINTS, seed=11,
        searcher="random", scheduler=scheduler, executor=executor, loggers=["csv", "json"], max_failures=1,
        checkpoints={"keep": 1}, storage_path=storage, name=name,
    )  # fmt: skip


class Counted:
    """A journal's commit, which kills its process at the n-th call."""

    def __init__(self, side: str = "", n: int = 0) -> None:
        self.calls = 0
        self._fatal = (side, n)
        self._commit = Journal.commit

    def commit(self, journal, *arguments):
        self.calls += 1
        self._perhaps_die("before")
        events = self._commit(journal, *arguments)
        self._perhaps_die("after")
        return events

    def _perhaps_die(self, side: str) -> None:
        if self._fatal == (side, self.calls):
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: str, kind: str, verb: str, side: str = "", n: str = "0") -> None:
    counted = Counted(side, int(n))
    Journal.commit = lambda journal, *arguments: counted.commit(journal, *arguments)
    tuner(folder, kind, resume=verb == "resume").fit()
    print(counted.calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
