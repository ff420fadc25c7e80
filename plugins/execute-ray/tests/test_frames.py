from __future__ import annotations

import random

from microtune_execute_ray import frames


def test_frames_come_out_as_they_went_in_however_they_are_cut():
    chance = random.Random(1)
    sent = [(frames.REPORT, {"loss": chance.random(), "text": "ä" * chance.randrange(300)}, i, None) for i in range(100)]
    data = b"".join(map(frames.frame, sent))
    for most in (1, 3, 50, 5000, len(data)):
        inbox, received, at = frames.Inbox(), [], 0
        while at < len(data):
            size = chance.randint(1, most)
            received += inbox.feed(data[at : at + size])
            at += size
        assert received == sent
