"""What the contract of executors has trials do: importable, so that they travel to any worker."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import microtune as mt

LONG = 600.0  # seconds: for ever, but an executor that cannot kill gets its process back one day
ODD = {"nan": math.nan, "inf": -math.inf, "text": "größe\n\0", "none": None, "yes": True, "nested": {"a": [1, 2.5, {"b": "c"}]}}


def count(config: dict[str, Any]) -> None:
    for i in range(config.get("n", 5)):
        mt.report(loss=float(i), i=i)


def odd(config: dict[str, Any]) -> None:
    mt.report(ODD, loss=1.0)


def returned(config: dict[str, Any]) -> float:
    return float(config["x"])


def reported_and_returned(config: dict[str, Any]) -> dict[str, Any]:
    mt.report(loss=1.0)
    return {"loss": 2.0}


def yields(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for i in range(3):
        yield {"loss": float(i)}


def endless(config: dict[str, Any]) -> None:
    while True:
        mt.report(loss=1.0)


class Counter(mt.Trainable):
    """Counts to five, and can be saved."""

    def setup(self, config: dict[str, Any]) -> None:
        self.n = 0

    def step(self) -> dict[str, Any]:
        self.n += 1
        return {"loss": float(self.n), "done": self.n == 5}

    def save_checkpoint(self, folder: Path) -> None:
        (folder / "n").write_text(str(self.n))

    def load_checkpoint(self, folder: Path) -> None:
        self.n = int((folder / "n").read_text())


def who(config: dict[str, Any]) -> dict[str, Any]:
    context = mt.get_context()
    return {
        "loss": 0.0, "id": context.trial_id, "number": context.number, "attempt": context.attempt, "seed": context.seed,
        "resources": context.resources, "folder": str(context.folder), "cwd": os.getcwd(), "pid": os.getpid(),
    }  # fmt: skip


def scribbles(config: dict[str, Any]) -> dict[str, Any]:
    """Changes its own config, which is nobody else's."""
    seen = list(config["inner"])
    config["inner"].append("scribbled")
    config["x"] = "scribbled"
    return {"loss": 0.0, "seen": seen}


def careful(config: dict[str, Any]) -> None:
    """Counts to six with a checkpoint at each step, and fails at the fourth of its first attempt."""
    folder = mt.get_checkpoint()
    first = int((folder / "deep" / "step").read_text()) if folder else 0
    for step in range(first + 1, 7):
        if step == 4 and config.get("fail") and mt.get_context().attempt == 1:
            raise ValueError("the first attempt fails")
        with mt.checkpoint_dir() as draft:
            (draft / "deep").mkdir()
            (draft / "deep" / "step").write_text(str(step))
        mt.report(loss=1.0 / step, first=first, checkpoint=draft)


def fails(config: dict[str, Any]) -> None:
    """In the manner of config["how"]."""

    class Unpicklable(Exception):
        def __init__(self, message: str) -> None:
            super().__init__(message, threading.Lock())

        def __str__(self) -> str:
            return str(self.args[0])

    mt.report(loss=1.0)
    if config["how"] == "raise":
        raise Unpicklable("something is wrong")
    if config["how"] == "exit":
        sys.exit(3)
    raise MemoryError("too much")


def dies_once(config: dict[str, Any]) -> dict[str, Any]:
    """Takes its process with it, the first time."""
    if mt.get_context().attempt == 1:
        os._exit(7)
    return {"loss": 1.0}


def hangs(config: dict[str, Any]) -> None:
    mt.report(loss=1.0)
    time.sleep(config.get("seconds", LONG))


def stubborn(config: dict[str, Any]) -> None:
    """Does not leave when told to."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        try:
            mt.report(loss=1.0)
        except BaseException:
            time.sleep(0.02)


def parent(config: dict[str, Any]) -> None:
    """Has a child process, and hangs."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG})"])
    mt.report(loss=1.0, child=child.pid)
    time.sleep(LONG)


def meets(config: dict[str, Any]) -> dict[str, Any]:
    """Waits until another trial of the run is there at the same time."""
    folder = Path(config["folder"])
    (folder / mt.get_context().trial_id).touch()
    end = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    return {"loss": 0.0, "met": len(list(folder.iterdir())) == 2}
