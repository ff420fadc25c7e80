"""A worker process: it waits for a trial, runs it, says how it left, and waits for the next one."""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from microtune import Assignment, Failure, Outcome, Terms, close_worker, run_trial
from microtune_execute_local import frames, strays
from microtune_execute_local.kit import Kit


def main(talk: int, answers: int, orders: int, stack: int, kit: int) -> None:
    """Never returns. The arguments are file descriptors."""
    for fd in (talk, answers, orders, stack, kit):
        os.set_inheritable(fd, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    strays.adopt_orphans()
    faulthandler.enable(file=stack)
    faulthandler.register(signal.SIGUSR2, file=stack)
    status = 1
    try:
        Worker(talk, answers, orders, Kit(kit)).work()
        status = 0
    except BrokenPipeError:
        pass  # the driver has gone, and with it whoever could be told
    except BaseException:
        traceback.print_exc()
    # Not a normal exit, which would join the threads that trials have left; but what they registered with atexit is due.
    close_worker()
    atexit._run_exitfuncs()
    _flush()
    os._exit(status)


class Worker:
    def __init__(self, talk: int, answers: int, orders: int, kit: Kit) -> None:
        self._talk = talk
        self._answers = answers
        self._orders = orders
        self._kit = kit
        terms, output = kit.settings()
        self._terms = Terms(*terms)
        self._output = None
        if output:
            from microtune_execute_local.output import Output

            self._output = Output()
        self._loaded = False
        self._began = 0.0  # the present trial
        self._trainable: Any = None
        self._inbox = frames.Inbox()
        # By order, since one may be on a trial that has left before it came, or on one that has not begun. The last counts.
        self._decisions: dict[int, str] = {}

    def work(self) -> None:
        self._say(frames.STARTED, os.getpid())
        while order := self._next_order():
            self._began = time.perf_counter()
            number, gpus, *assignment = order
            outcome = self._run(number, gpus, Assignment(*assignment))
            failure = None if outcome.failure is None else tuple(outcome.failure)
            seconds = time.perf_counter() - self._began
            # A returned value travels with the exit, so that both come to the kernel in one turn.
            self._say(frames.EXIT, outcome.metrics, outcome.iteration, outcome.checkpoint, failure, seconds)

    def _next_order(self) -> tuple[Any, ...]:
        """Empty at the end. The driver may take back an order that nobody has read, so never read more than one.

        One `read` takes one packet; an order that is longer has been sent alone.
        """
        inbox = frames.Inbox()
        while data := os.read(self._orders, frames.CHUNK):
            for order in inbox.feed(data):
                return order
        return ()

    def _say(self, *words: Any) -> None:
        data = frames.frame(words)
        sent = os.write(self._talk, data)
        while sent < len(data):
            sent += os.write(self._talk, memoryview(data)[sent:])

    def _run(self, order: int, gpus: str | None, assignment: Assignment) -> Outcome:
        if gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpus  # before the trainable is loaded, which may import torch
        if self._output is not None:
            self._output.to(assignment.folder)
        try:
            failure = self._load()
            if failure is not None:
                return Outcome(None, assignment.iteration, None, failure)
            return run_trial(self._trainable, assignment, self._terms, self._exchange_of(order))
        finally:
            if self._output is not None:
                self._output.back()
            _flush()

    def _load(self) -> Failure | None:
        if self._loaded:
            return None
        try:
            self._trainable = self._kit.trainable()
        except BaseException as error:  # whatever the modules that it needs raise when they are imported
            message = f"a worker process cannot load the trainable: {type(error).__name__}: {error}"
            return Failure("error", message, traceback.format_exc())
        self._loaded = True
        self._say(frames.LOADED)
        self._began = time.perf_counter()  # what the modules took to import is not the trial's time
        return None

    def _exchange_of(self, order: int) -> Callable[[dict[str, Any], int, str | None], str]:
        def exchange(metrics: dict[str, Any], iteration: int, checkpoint: str | None) -> str:  # never by two threads at once
            self._say(frames.REPORT, metrics, iteration, checkpoint)
            while order not in self._decisions:
                data = os.read(self._answers, frames.CHUNK)
                if not data:  # the driver has gone
                    return "stop"
                self._decisions.update(self._inbox.feed(data))
            return self._decisions.pop(order)

        return exchange


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
