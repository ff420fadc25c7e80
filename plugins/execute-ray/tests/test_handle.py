from __future__ import annotations

import selectors
import socket

import pytest

from microtune_execute_ray import frames
from microtune_execute_ray.handle import Handle
from microtune_execute_ray.needs import Need


@pytest.fixture
def pair():
    """A handle, its selector, and the worker's end of the connection."""
    selector = selectors.DefaultSelector()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(10)
    handle = Handle(1, Need.of({}))
    handle.connect(ours, selector)
    yield handle, selector, theirs
    handle.disconnect()
    theirs.close()
    selector.close()


def test_an_order_that_does_not_fit_into_the_pipe_arrives_whole_and_in_order(pair):
    handle, selector, theirs = pair
    big = "x" * 5_000_000
    handle.tell(frames.TRIAL, 1, big)
    handle.tell(frames.DECISION, 1, "continue")
    inbox, said = frames.Inbox(), []
    while len(said) < 2:
        for key, events in selector.select(0):
            if events & selectors.EVENT_WRITE:
                key.data.send_on()
        said += inbox.feed(theirs.recv(1 << 20))
    assert said == [(frames.TRIAL, 1, big), (frames.DECISION, 1, "continue")]
    assert selector.get_map()[handle._connection].events == selectors.EVENT_READ  # it is not watched for nothing


def test_what_is_no_frame_ends_the_connection(pair):
    handle, _, theirs = pair
    theirs.sendall(b"\x04\x00\x00\x00oops")
    assert handle.hear() is None


def test_nothing_to_hear_is_not_the_end(pair):
    handle, _, theirs = pair
    assert handle.hear() == []
    theirs.close()
    assert handle.hear() is None


def test_what_is_told_to_one_that_has_gone_is_told_to_nobody(pair):
    handle, _, theirs = pair
    theirs.close()
    handle.tell(frames.LEAVE)
    handle.disconnect()
    handle.tell(frames.LEAVE)
    assert not handle.connected
