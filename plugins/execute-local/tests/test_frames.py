from __future__ import annotations

import random

import pytest

from microtune_execute_local.frames import Inbox, frame

MESSAGES = [(), (1, "text", None, True, 2.5), ({"loss": float("inf"), "list": [1, [2]]},), ("x" * 300_000,), (b"", -(2**80))]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000, 10**7])
def test_frames_come_out_whole_however_the_stream_is_cut(size):
    stream = b"".join(frame(message) for message in MESSAGES * 2)[: 2000 if size < 5 else None]
    inbox, heard = Inbox(), []
    for start in range(0, len(stream), size):
        heard += inbox.feed(stream[start : start + size])
    assert heard == (MESSAGES * 2)[: len(heard)]
    assert len(heard) == (3 if size < 5 else 10)


def test_frames_come_out_whole_at_random_cuts():
    rng = random.Random(5)
    stream = b"".join(frame((number, "y" * rng.randrange(50))) for number in range(500))
    inbox, heard, start = Inbox(), [], 0
    while start < len(stream):
        stop = start + rng.randrange(1, 90)
        heard += inbox.feed(stream[start:stop])
        start = stop
    assert [number for number, _ in heard] == list(range(500))
