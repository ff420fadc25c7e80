"""Removing checkpoints on URLs while the run goes on."""

from __future__ import annotations

import threading

import fsspec
import pytest

from microtune import Remover, remote


def put(url):
    with fsspec.open(f"{url}/step", "w") as file:
        file.write("state")
    return url


def url_of(store, name):
    return f"{store}/run/trials/00000/checkpoints/{name}"


@pytest.fixture
def slow(monkeypatch):
    """A store that removes nothing before it is let."""
    let = threading.Event()
    memory = type(fsspec.filesystem("memory"))
    remove = memory.rm

    def rm(self, *given, **more):
        assert let.wait(10)
        remove(self, *given, **more)

    monkeypatch.setattr(memory, "rm", rm)
    yield let
    let.set()
    for thread in threading.enumerate():
        if thread.name == "microtune-remover":
            thread.join(10)


def test_all_is_removed_when_it_is_closed(store):
    remover = Remover()
    for n in range(1, 6):
        remover.remove(put(url_of(store, f"{n}-1")))
    put(url_of(store, "6-1"))
    remover.close()
    assert remote.checkpoints(f"{store}/run") == {url_of(store, "6-1")}


def test_nobody_waits_for_a_removal(store, slow):
    remover = Remover()
    url = put(url_of(store, "1-1"))
    remover.remove(url)  # returns
    assert remote.checkpoints(f"{store}/run") == {url}
    slow.set()
    remover.close()
    assert remote.checkpoints(f"{store}/run") == set()


def test_a_store_that_does_not_answer_holds_up_the_end_for_a_time_only(store, slow, caplog):
    remover = Remover()
    remover.remove(put(url_of(store, "1-1")))
    remover.close(timeout=0.05)
    assert "are yet to be removed; a resume of the run does that" in caplog.text


def test_what_cannot_be_removed_is_said_and_stops_nothing(store, monkeypatch, caplog):
    memory = type(fsspec.filesystem("memory"))
    remove = memory.rm

    def rm(self, path, **more):
        if "1-1" in path:
            raise PermissionError("not yours")
        remove(self, path, **more)

    monkeypatch.setattr(memory, "rm", rm)
    remover = Remover()
    for n in (1, 2):
        remover.remove(put(url_of(store, f"{n}-1")))
    remover.close()
    assert remote.checkpoints(f"{store}/run") == {url_of(store, "1-1")}
    assert "1-1 cannot be removed: PermissionError: not yours" in caplog.text


def test_a_mere_name_is_nothing_to_remove(caplog):
    before = threading.active_count()
    remover = Remover()
    remover.remove("00000/5-1")
    assert threading.active_count() == before
    remover.close()
    assert caplog.text == ""


def test_it_may_be_closed_twice_and_used_again(store):
    remover = Remover()
    remover.close()
    remover.remove(put(url_of(store, "1-1")))
    remover.close()
    remover.close()
    assert remote.checkpoints(f"{store}/run") == set()
