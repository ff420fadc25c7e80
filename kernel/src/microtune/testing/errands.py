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
from microtune.testing.wounds import LONG, WOUNDS

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
    """Of the wound config["how"]."""
    mt.report(loss=1.0)
    WOUNDS[config["how"]]()


def suffers(config: dict[str, Any]) -> None:
    """Counts to five with a checkpoint at each step. One trial is wounded before its third, the first time."""
    context, folder = mt.get_context(), mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 6):
        if (context.number, context.attempt, step) == (config["victim"], 1, 3):
            WOUNDS[config["wound"]]()
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=config["x"] * step, first=first, checkpoint=draft)


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


def slow(config: dict[str, Any]) -> None:
    """Three steps with a checkpoint each; the second takes longer than the run has."""
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 4):
        if step == 2:
            time.sleep(4.0)
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=float(step), checkpoint=draft)


def floods(config: dict[str, Any]) -> None:
    """Says as much as it can, as fast as it can, by all ways there are."""
    for i in range(500):
        print("x" * 2000)
        mt.report(loss=float(i), padding="x" * 2000)


def heavy(config: dict[str, Any]) -> dict[str, Any]:
    """Five megabytes, reported and returned."""
    mt.report(loss=1.0, text=config["letter"] * 5_000_000)
    return {"loss": 0.0, "text": config["letter"] * 5_000_000}


def leaves_child(config: dict[str, Any]) -> dict[str, Any]:
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG})"])
    child.returncode = 0  # nobody waits for it
    return {"loss": 0.0, "child": child.pid}


def leaves_thread(config: dict[str, Any]) -> None:
    """The first trial has a thread that goes on reporting when it is over."""

    def disturb() -> None:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                mt.report(loss=-1.0)
            except Exception:
                time.sleep(0.001)

    if mt.get_context().number == 0:
        threading.Thread(target=disturb, daemon=True).start()
    for i in range(20):
        mt.report(loss=float(i))


def weighs(config: dict[str, Any], weights: list[float], bias: float) -> dict[str, Any]:
    return {"loss": bias + sum(weights)}


class Weighs(mt.Trainable):
    def setup(self, config: dict[str, Any], weights: list[float], bias: float) -> None:
        self.loss = bias + sum(weights)

    def step(self) -> dict[str, Any]:
        return {"loss": self.loss, "done": True}
