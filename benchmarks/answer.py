"""What the three tuner_*.py share: how they are asked, how they answer, and the arithmetic that must be equal."""

from __future__ import annotations

import json
import os
import statistics
import sys
from typing import Any

MARK = "measured:"
median = statistics.median


def main(measurements: dict[str, Any]) -> None:
    """Answer `NAME key=value ...`, values as JSON, on a line that the noise of a library cannot be mistaken for."""
    name, *arguments = sys.argv[1:]
    pairs = (argument.split("=", 1) for argument in arguments)
    value = measurements[name](**{key: json.loads(text) for key, text in pairs})
    print(f"\n{MARK} {json.dumps(value)}", flush=True)


def resident() -> int:
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Resident:
    """What the process holds when so many things have happened. It keeps nothing per thing itself."""

    def __init__(self, *marks: int) -> None:
        self._marks = marks
        self._count = 0
        self.bytes: list[int] = []

    def happened(self) -> None:
        self._count += 1
        if self._count in self._marks:
            self.bytes.append(resident())

    def per_thing(self) -> float:
        """Growth from the first mark to the last, shared out."""
        return (self.bytes[-1] - self.bytes[0]) / (self._marks[-1] - self._marks[0])


def utilisation(spans: list[tuple[float, float]], workers: int = 2, seconds: float = 0.01) -> float:
    """The time that so many trials need at least, as a share of the time from the first start to the last end."""
    wall = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return len(spans) * seconds / workers / wall
