"""The figures of the runs, painted when a page asks for them, and never so often that the run would feel it."""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice
from sys import intern
from typing import Any, NamedTuple

from microtune import Event, MicrotuneError, Reader, ResultGrid, installed, load_plugin

_LEAST = 3.0  # seconds between two paintings of a figure
_SHARE = 0.1  # of one core, for all the figures together
_MOST_RUNS = 3  # whose events are kept in memory


Key = tuple[str, str]  # path and id of a run: another one may come to lie in the same folder


class Painting(NamedTuple):
    seq: int  # the last event that is in it
    text: str | None  # JSON, as Plotly has it
    problem: str | None
    cost: float  # seconds of computing
    at: float


class History:
    """The events of a run, in memory: a source of a ResultGrid that reads only what is new."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.grid = ResultGrid(path, source=self)
        self._events: list[Event] = []

    def grow(self) -> None:
        reader = Reader(self.path)
        try:
            before = len(self._events)
            events = reader.events(after=before)  # `seq` counts from 1 without gaps
            self._events.extend(event._replace(body=_shared(event.body), kind=intern(event.kind)) for event in events)
        finally:
            reader.close()
        if len(self._events) > before:
            self.grid.refresh()

    @property
    def seq(self) -> int:
        return len(self._events)

    def events(self, after: int = 0) -> Iterator[Event]:
        return islice(self._events, after, None)


def _shared(value: Any) -> Any:
    """The same with one copy of each name: a third of the memory of many events."""
    return {intern(name): _shared(item) for name, item in value.items()} if isinstance(value, dict) else value


class Painter:
    """Paints in a thread of its own, one figure at a time; it dies with the process, whatever it is painting."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Key, str, Future[Painting]]] = queue.SimpleQueue()
        self._done: dict[tuple[Key, str], Painting] = {}
        self._imported: set[str] = set()  # figures; the first painting of one is no measure for the next
        self._histories: OrderedDict[Key, History] = OrderedDict()
        self._thread: threading.Thread | None = None

    @staticmethod
    def names() -> list[str]:
        """The figures that are installed; nothing is imported."""
        return [entry.name for entry in installed("figure")]

    def paint(self, path: str, run_id: str, name: str) -> Future[Painting]:
        """A figure of the run in `path`, which has this id now; the last painting, if that is too recent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="figures", daemon=True)
            self._thread.start()
        order: Future[Painting] = Future()
        self._orders.put(((path, run_id), name, order))
        return order

    def again(self, done: Painting) -> float:
        """Seconds until it is worth asking for this figure again."""
        return max(0.5, done.at + self.pause() - time.monotonic())

    def pause(self) -> float:
        """Seconds between two paintings of a figure, so that all together keep to their share."""
        lately = time.monotonic() - 600
        return max(_LEAST, sum(done.cost for done in [*self._done.values()] if done.at > lately) / _SHARE)

    def _work(self) -> None:
        while True:
            key, name, order = self._orders.get()
            if not order.set_running_or_notify_cancel():
                continue
            try:
                order.set_result(self._painting(key, name))
            except Exception as error:  # the journal cannot be read: the page of the run says so too
                order.set_result(Painting(0, None, str(error), 0.0, time.monotonic()))

    def _painting(self, key: Key, name: str) -> Painting:
        last = self._done.get((key, name))
        if last is not None and time.monotonic() - last.at < self.pause():
            return last
        began = time.thread_time()  # not by the clock on the wall: a busy machine makes nothing more costly
        history = self._history(key)
        if last is not None and last.seq == history.seq:
            return last
        text = problem = None
        try:
            text = load_plugin("figure", name)(history.grid).to_json(validate=False)
        except MicrotuneError as error:  # it does not apply to this run, say
            problem = str(error)
        except Exception as error:  # somebody's figure; what it cost counts all the same
            problem = f"{type(error).__name__}: {error}"
        cost = time.thread_time() - began if name in self._imported else 0.0
        self._imported.add(name)
        done = self._done[key, name] = Painting(history.seq, text, problem, cost, time.monotonic())
        return done

    def _history(self, key: Key) -> History:
        history = self._histories.pop(key, None) or History(key[0])
        history.grow()
        self._histories[key] = history
        while len(self._histories) > _MOST_RUNS:
            gone, _ = self._histories.popitem(last=False)
            self._done = {each: done for each, done in self._done.items() if each[0] != gone}
        return history
