"""What recovery.py asks of microtune: `python recovery_ours.py QUESTION [key=value ...]` prints one JSON line."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import microtune as mt
from answer import main
from recovery_trial import REPORTS, SAVED_EVERY, WIDTH, Heard, evaluate

SPACE = {"x": mt.randint(0, WIDTH)}


def quick(config: dict[str, Any]) -> None:
    for step in range(1, REPORTS + 1):
        mt.report(loss=config["x"] / step)


def finished(folder: str, trials: int) -> None:
    """A run of so many trials, each with all its results, and an ASHA that hears them all and stops nobody before the end."""
    mt.Tuner(
        quick, param_space=SPACE, metric="loss", mode="min", num_samples=trials, executor="local:workers=2", loggers=[],
        scheduler=f"asha:max_t={REPORTS},grace_period={REPORTS}", storage_path=os.path.dirname(folder),
        name=os.path.basename(folder), seed=1,
    ).fit()  # fmt: skip


def extended(folder: str, trials: int) -> dict[str, float]:
    """Go on with it up to the first trial that is new. `at`: the time then; `seconds`: since restore() was called."""
    begin = time.perf_counter()
    run = mt.Tuner.restore(folder, quick, num_samples=trials + 1).open()
    try:
        while not run.counts["RUNNING"]:
            run.step()
        return {"at": time.time(), "seconds": time.perf_counter() - begin}
    finally:
        run.close()


def train(config: dict[str, Any]) -> None:
    start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
    for step in range(start + 1, REPORTS + 1):
        loss = evaluate(config["x"], step)
        folder = None
        if step % SAVED_EVERY == 0:
            folder = mt.checkpoint_dir()
            (folder / "step").write_text(str(step))
        mt.report(loss=loss, x=config["x"], checkpoint=folder)


class Ear:
    def __init__(self) -> None:
        self.heard = Heard()

    @mt.hookimpl
    def log(self, event: mt.Event) -> None:
        if event.kind == "result":
            self.heard.result(event.body["metrics"]["x"], event.body["iteration"])


def run(folder: str, trials: int) -> None:
    """Killed from within if recovery.py says so."""
    mt.Tuner(
        train, param_space=SPACE, metric="loss", mode="min", num_samples=trials, executor="local:workers=2",
        loggers=["csv", "json", Ear()], storage_path=os.path.dirname(folder), name=os.path.basename(folder), seed=1,
    ).fit()  # fmt: skip


def resume(folder: str) -> dict[str, Any]:
    """`called`: when restore() was; `results`: [x, step] of all that the results offer at the end."""
    called = time.time()
    results = mt.Tuner.restore(folder, train, loggers=["csv", "json", Ear()]).fit()
    found = [[row["x"], row["training_iteration"]] for trial in results for row in trial.history]
    return {"called": called, "trials": len(results), "results": found}


def written(folder: str) -> dict[str, int]:
    """Bytes on disk: the journal's, and those of all files but checkpoints."""
    files = [path for path in Path(folder).rglob("*") if path.is_file() and "checkpoints" not in path.parts]
    journal = sum(path.stat().st_size for path in files if path.name.startswith("journal.db"))
    return {"journal": journal, "all": sum(path.stat().st_size for path in files)}


if __name__ == "__main__":
    main(globals())
