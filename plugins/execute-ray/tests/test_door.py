from __future__ import annotations

import selectors
import socket

import pytest

from microtune_execute_ray.door import Caller, Door
from microtune_execute_ray.frames import HELLO


class House:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.door = Door("127.0.0.1", self.selector)

    def call(self):
        return socket.create_connection(self.door.address, timeout=10)

    def turn(self):
        """Attend to whoever knocks or speaks; the workers that were let in."""
        let_in = []
        for key, _ in self.selector.select(10):
            if isinstance(key.data, Caller):
                let_in.append((self.door.hear(key.data), key.data.connection))
            else:
                self.door.answer()
        return let_in


@pytest.fixture
def house():
    house = House()
    yield house
    house.door.close()
    house.selector.close()


def test_a_worker_is_known_by_its_number_and_what_it_says_next_is_not_lost(house):
    with house.call() as worker:
        house.turn()
        worker.sendall(house.door.hello(7) + b"next")
        ((number, connection),) = house.turn()
        with connection:
            assert number == 7
            assert connection.recv(10) == b"next"


def test_a_greeting_may_come_in_pieces(house):
    hello = house.door.hello(258)
    with house.call() as worker:
        house.turn()
        for i in range(HELLO):
            worker.sendall(hello[i : i + 1])
            ((number, connection),) = house.turn()
            assert number == (258 if i == HELLO - 1 else None)
        connection.close()


@pytest.mark.parametrize("wrong", [b"GET / HTTP/1.1\r\nHost: x\r\n", bytes(HELLO)])
def test_a_stranger_is_cut_off(wrong, house):
    with house.call() as stranger:
        house.turn()
        stranger.sendall(wrong)
        assert house.turn()[0][0] is None
        try:
            assert stranger.recv(1) == b""
        except ConnectionResetError:  # it has said more than was read
            pass


def test_who_hangs_up_is_forgotten(house):
    house.call().close()
    house.turn()
    assert house.turn()[0][0] is None
    assert len(house.selector.get_map()) == 1  # the door itself


def test_two_doors_have_two_keys(house):
    other = House()
    assert other.door.hello(1) != house.door.hello(1)
    other.door.close()
    other.selector.close()
