"""The driver that a test kills: `python driver.py URL`. Its trials wait at their third step for a file that never comes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import microtune as mt


def train(config):
    """Six steps with a checkpoint each."""
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 7):
        end = time.monotonic() + 60
        while step == 4 and not Path(config["go"]).exists() and time.monotonic() < end:
            time.sleep(0.02)
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=config["x"] / step, first=first, checkpoint=draft)


if __name__ == "__main__":
    mt.Tuner(
        "driver:train", param_space={"x": mt.uniform(0, 1), "go": sys.argv[2]}, metric="loss", mode="min", num_samples=2,
        seed=1, name="run", loggers=(), storage_path=sys.argv[1], checkpoints={"keep": 2}, executor="local:workers=2",
    ).fit()  # fmt: skip
