from __future__ import annotations

import re

from microtune import events
from microtune.replay import State


def test_every_kind_is_described_and_nothing_else_is():
    described = re.findall(r"^(\w+) +\{", events.__doc__, re.MULTILINE)
    assert sorted(described) == sorted(events.KINDS)
    constants = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert constants == set(events.KINDS)


def test_every_kind_can_be_replayed():
    assert all(callable(getattr(State, f"_{kind}")) for kind in events.KINDS)


def test_an_event_is_a_row():
    event = events.Event(3, 1.5, events.RESULT, "00003", {"iteration": 1})
    assert tuple(event) == (3, 1.5, "result", "00003", {"iteration": 1})
