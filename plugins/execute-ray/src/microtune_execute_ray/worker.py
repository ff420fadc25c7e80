"""A worker: an actor that connects to the driver, runs one trial after the other, and ends when the connection does.

Ray starts it, sees it die, and ends the child processes that it leaves; trials, reports and decisions go over the connection.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import ray

from microtune import Assignment, Failure, Outcome, Terms, close_worker, run_trial
from microtune_execute_ray import frames
from microtune_execute_ray.shipping import fetched

PATIENCE_S = 1.0  # for the driver to take a last word


class TrialWorker:
    """The actor. Trials run in its main thread, as they would in a program of their own."""

    def work(self, door: tuple[str, int], hello: bytes, terms: tuple[Any, ...], trainable: list[ray.ObjectRef[Any]]) -> None:
        """Never returns. `hello`: how the driver knows this worker; `trainable`: in a list, so that it is fetched here."""
        wire = Wire(socket.create_connection(door))
        wire.say_raw(hello)
        wire.say(frames.STARTED, f"process {os.getpid()} on {socket.gethostname()}")
        Desk(wire, Terms(*terms), trainable).work()
        close_worker()
        ray.actor.exit_actor()


class Wire:
    """The worker's end of the connection: a thread of its own listens, so that the driver is heard during a trial too."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._pen = threading.Lock()
        self.trials: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        # By order: one may be on a trial that has left before it came.
        self.decisions: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._main = threading.get_ident()
        threading.Thread(target=self._listen, name="microtune-wire", daemon=True).start()

    def say(self, *words: Any) -> None:
        self.say_raw(frames.frame(words))

    def say_raw(self, data: bytes) -> None:
        try:
            with self._pen:
                self._connection.sendall(data)
        except OSError:
            _end()  # the driver has gone, and with it whoever could be told

    def _listen(self) -> None:
        inbox = frames.Inbox()
        try:
            while data := self._connection.recv(frames.CHUNK):
                for kind, *more in inbox.feed(data):
                    if kind == frames.TRIAL:
                        self.trials.put(tuple(more))
                    elif kind == frames.DECISION:
                        self.decisions.put((more[0], more[1]))
                    elif kind == frames.LEAVE:
                        self.trials.put(None)
                    else:
                        self._last_words()
        except OSError:
            pass
        _end()  # the driver has gone

    def _last_words(self) -> None:
        # Perhaps the main thread is in the middle of a long word that nobody reads.
        if self._pen.acquire(timeout=PATIENCE_S):
            self._connection.settimeout(PATIENCE_S)
            self._connection.sendall(frames.frame((frames.STACK, _stacks(self._main))))
        _end()


class Desk:
    def __init__(self, wire: Wire, terms: Terms, trainable: list[ray.ObjectRef[Any]]) -> None:
        self._wire = wire
        self._terms = terms
        self._shipped = trainable
        self._loaded = False
        self._trainable: Any = None

    def work(self) -> None:
        while (order := self._wire.trials.get()) is not None:
            number, *assignment = order
            outcome = self._run(number, Assignment(*assignment))
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            failure = None if outcome.failure is None else tuple(outcome.failure)
            # A returned value travels with the exit, so that both come to the kernel in one turn.
            self._wire.say(frames.EXIT, outcome.metrics, outcome.iteration, outcome.checkpoint, failure)

    def _run(self, order: int, assignment: Assignment) -> Outcome:
        failure = self._load()
        if failure is not None:
            return Outcome(None, assignment.iteration, None, failure)
        return run_trial(self._trainable, assignment, self._terms, self._exchange_of(order))

    def _load(self) -> Failure | None:
        if self._loaded:
            return None
        try:
            self._trainable = fetched(self._shipped)
        except BaseException as error:  # whatever the modules that it needs raise when they are imported
            message = (
                f"a worker cannot load the trainable: {type(error).__name__}: {error}. What it imports must be installed on "
                "every node, or come with runtime_env"
            )
            return Failure("error", message, traceback.format_exc())
        self._loaded = True
        self._wire.say(frames.LOADED)
        return None

    def _exchange_of(self, order: int) -> Callable[[dict[str, Any], int, str | None], str]:
        def exchange(metrics: dict[str, Any], iteration: int, checkpoint: str | None) -> str:  # never by two threads at once
            self._wire.say(frames.REPORT, metrics, iteration, checkpoint)
            while True:
                answered, decision = self._wire.decisions.get()
                if answered == order:
                    return decision

        return exchange


def _stacks(main: int) -> str:
    """Where every thread is, the one that runs trials last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = sys._current_frames()
    del found[threading.get_ident()]
    order = sorted(found, key=lambda ident: ident == main)
    return "\n".join(f"Thread {names.get(i, i)}:\n{''.join(traceback.format_stack(found[i]))}" for i in order)


def _end() -> None:
    """At once, whatever the trial does; Ray ends its child processes."""
    os._exit(1)
