from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from microtune_execute_local import frames
from microtune_execute_local.handle import PACKETS, Handle

pytestmark = pytest.mark.skipif(not PACKETS, reason="orders are sent ahead where there are pipes of packets")


@pytest.fixture
def handle() -> Iterator[Handle]:
    made = Handle(1, None, select.poll())
    yield made
    for fd in made.posting[:3]:
        os.close(fd)
    made.close()


def read(handle):
    """As the worker does."""
    return os.read(handle.posting[2], frames.CHUNK)


def test_an_order_sent_ahead_can_be_taken_back_until_it_is_read(handle):
    handle.send(b"current")
    assert handle.send_ahead(b"next")
    assert read(handle) == b"current"
    assert handle.take_back()
    assert not handle.take_back()
    assert handle.send_ahead(b"another")
    assert read(handle) == b"another"
    assert not handle.take_back()


def test_it_is_not_taken_back_before_the_present_one_is_read(handle):
    """What could be read then is the present one."""
    handle.send(b"current")
    assert handle.send_ahead(b"next")
    assert not handle.take_back()
    assert read(handle) == b"current"
    assert read(handle) == b"next"


def test_only_what_fits_into_a_packet_is_sent_ahead(handle):
    assert not handle.send_ahead(b"x" * (select.PIPE_BUF + 1))
    assert handle.send_ahead(b"x" * select.PIPE_BUF)
    assert read(handle) == b"x" * select.PIPE_BUF


def test_the_orders_that_a_worker_has_not_read_can_be_withheld_from_it(handle):
    assert handle.withhold_orders() == 0
    handle.send(b"current")
    handle.send_ahead(b"next")
    assert handle.withhold_orders() == 2


def test_a_long_order_goes_through_in_pieces_and_never_blocks(handle):
    order = os.urandom(1_000_000)
    handle.send(order)
    received = b""
    while len(received) < len(order):
        received += read(handle)
        for fd, event in handle._poll.poll(0):
            assert (fd, event) == (handle.orders, select.POLLOUT)
            handle.send_on()
    assert received == order
    assert handle._poll.poll(0) == []
