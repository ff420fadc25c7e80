"""What this machine has for trials, and how much of it is free."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Mapping

SLACK = 1e-6  # ten times 0.1 fit into 1
Share = tuple[str, ...]  # the ids of GPUs


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Ids as CUDA_VISIBLE_DEVICES takes them: those that it names now, else all that nvidia-smi lists."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu.strip() for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False).stdout
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


class Ledger:
    """Admits trials by what they need: amounts of anything, fractions too; a GPU's fractions lie on one GPU."""

    def __init__(self, total: Mapping[str, float], standard: Mapping[str, float], workers: int | None) -> None:
        self.total = {name: float(amount) for name, amount in total.items()}
        self._free = dict(self.total)
        self._gpus: dict[str, float] = {}  # id -> how much of it is free
        self._sought_gpus = False
        self._standard = standard
        self._most = workers or (math.inf if standard else usable_cores())  # trials at a time
        self._running = 0
        self._room: int | None = None  # counted when it is asked for: an executor asks at every report

    def find_gpus(self) -> None:
        """Count the GPUs, at the first trial that wants one: nvidia-smi takes its time."""
        if not self._sought_gpus:
            self._sought_gpus = True
            ids = visible_gpus()
            if "gpu" in self.total:  # said by the user
                count = math.ceil(self.total["gpu"])
                ids = ids[:count] if count <= len(ids) else [str(i) for i in range(count)]
            elif ids:
                self.total["gpu"] = self._free["gpu"] = float(len(ids))
            self._gpus = dict.fromkeys(ids, 1.0)
            self._room = None

    def visible_to(self, share: Share) -> str | None:
        """The CUDA_VISIBLE_DEVICES of a trial; None, as it is, where no trial has asked for a GPU yet."""
        return ",".join(share) if self._gpus else None

    def refusal(self, need: Mapping[str, float]) -> str | None:
        """Why this can never be had here, or None."""
        for name, amount in need.items():
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < math.inf:
                return f"{name!r} is {amount!r}: a resource is a number, 0 or more"
            if amount > self.total.get(name, 0) + SLACK:
                there_is = ", ".join(f"{key}: {value:g}" for key, value in self.total.items())
                return f"a trial asks for {name}: {amount:g}, and this machine has {there_is}"
        gpu = need.get("gpu", 0)
        if gpu > 1 and gpu != int(gpu):
            return f"a trial asks for gpu: {gpu:g}; more than one GPU can only be had whole"
        return None

    def take(self, need: Mapping[str, float]) -> Share | None:
        """The GPUs that this trial gets, often none; None if it does not fit now."""
        if self._running >= self._most:
            return None
        free = self._free
        for name, amount in need.items():
            if amount > free[name] + SLACK:
                return None
        share = self._pick(need["gpu"]) if need.get("gpu") else ()
        if share is None:
            return None
        for name, amount in need.items():
            free[name] -= amount
        self._running += 1
        self._room = None
        return share

    def give_back(self, need: Mapping[str, float], share: Share) -> None:
        for name, amount in need.items():
            self._free[name] += amount
        for gpu in share:
            self._gpus[gpu] += min(need["gpu"], 1)
        self._running -= 1
        self._room = None

    def room(self) -> int:
        """How many standard trials fit beside those that run."""
        if self._room is None:
            self._room = max(0, self._count())
        return self._room

    def _count(self) -> int:
        fits = [self._most - self._running]
        for name, amount in self._standard.items():
            if name != "gpu":
                fits.append((self._free[name] + SLACK) // amount)
            elif amount >= 1:
                fits.append(sum(free > 1 - SLACK for free in self._gpus.values()) // amount)
            else:
                fits.append(sum((free + SLACK) // amount for free in self._gpus.values()))
        return int(min(fits))

    def _pick(self, amount: float) -> Share | None:
        """A fraction goes where least is free and still enough, so that whole GPUs stay whole."""
        part = min(amount, 1)
        fitting = sorted((free, gpu) for gpu, free in self._gpus.items() if free > part - SLACK)
        count = math.ceil(amount)
        if len(fitting) < count:
            return None
        share = tuple(gpu for _, gpu in fitting[:count])
        for gpu in share:
            self._gpus[gpu] -= part
        return share
