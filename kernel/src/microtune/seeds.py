"""All randomness of a run: (run seed, key) -> a fresh random.Random. Nothing touches a global generator.

The key holds only what the tells rebuild (a trial's number, its number of starts, ...), so that a replayed plugin draws
what it drew live.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any


def derive(seed: int, *key: str | int) -> int:
    """A 63-bit seed for a library that wants a number; the same in every process, whatever PYTHONHASHSEED."""
    return int.from_bytes(hashlib.blake2b(repr((seed, *key)).encode(), digest_size=8).digest(), "big") >> 1


def rng(seed: int, *key: str | int) -> random.Random:
    """A generator of its own for this purpose."""
    return random.Random(derive(seed, *key))


class Later:
    """A random.Random that is made when it is first used: making one costs more than all else that may need it does."""

    __slots__ = ("_key", "_made", "_seed")

    def __init__(self, seed: int, *key: str | int) -> None:
        self._seed = seed
        self._key = key
        self._made: random.Random | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = rng(self._seed, *self._key)
        return getattr(self._made, name)
