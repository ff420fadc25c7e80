"""The process that all workers are forked from: small, single-threaded, and the parent that outlives none of them.

It starts a worker when it is told to, tells the driver how each one ended, and kills what it is told to kill. When the
driver goes, however it goes, the control socket ends: the template then kills every worker and ends itself.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import time
import traceback
from typing import Any, NamedTuple

import cloudpickle  # noqa: F401  each worker would import it to load the trainable

from microtune import run_trial  # noqa: F401  likewise
from microtune_execute_local import frames, strays, worker
from microtune_execute_local.boot import command

PATIENCE_S = 0.5  # between SIGTERM and SIGKILL, when the driver has gone


class Child(NamedTuple):
    worker: int
    signals: list[tuple[float, int]]  # (when, which) it is to get, in the order of time


class Posting(NamedTuple):
    """The file descriptors of a worker."""

    talk: int  # what it says
    answers: int  # decisions on that
    orders: int  # its trials
    stack: int  # a file for its stack, should it hang


def main(control: int, kit: int, start: str, preload: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, which lets the trials leave in order
    os.set_inheritable(control, False)
    os.set_inheritable(kit, False)
    strays.adopt_orphans()
    template = Template(socket.socket(fileno=control), kit, start)
    for name in preload:
        try:
            importlib.import_module(name)
        except BaseException:
            template.tell(frames.BROKEN, name, traceback.format_exc())
            return
    gc.freeze()  # a collection in a worker then leaves the template's pages shared
    posting = template.tend()
    if posting is None:
        os._exit(0)
    worker.main(*posting, kit)


class Template:
    def __init__(self, control: socket.socket, kit: int, start: str) -> None:
        self._control = control
        self._kit = kit
        self._start = self._spawn if start == "spawn" else self._fork
        self._driver = os.getppid()
        self._children: dict[int, Child] = {}  # by pid
        self._inbox = frames.Inbox()
        self._fds: list[int] = []
        self._poll = select.poll()
        # A byte arrives here whenever a child ends.
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        signal.set_wakeup_fd(self._ringer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def tell(self, *message: Any) -> None:
        try:
            self._control.sendall(frames.frame(message))
        except OSError:
            pass  # the driver has gone, which `tend` is about to see

    def tend(self) -> Posting | None:
        """Returns twice: a worker's posting in each forked worker; None in the template, once nothing is left."""
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)
        try:
            # The parent is looked at each second too: a process that the user's program has forked may hold the control
            # socket open after the driver has died.
            while os.getppid() == self._driver:
                posting = self._listen()
                if posting is not None:
                    return posting
        except (EOFError, ConnectionError):  # the driver has gone; it is a reset where it had not read all
            pass
        except BaseException:
            traceback.print_exc()
        self._end()
        return None

    def _listen(self) -> Posting | None:
        for fd, _ in self._poll.poll(self._until_next_signal(1.0) * 1000):
            if fd == self._bell.fileno():
                self._bell.recv(frames.CHUNK)
                self._reap()
                continue
            data, fds, _, _ = socket.recv_fds(self._control, frames.CHUNK, 16)
            if not data:
                raise EOFError
            self._fds += fds
            for message in self._inbox.feed(data):
                posting = self._obey(*message)
                if posting is not None:
                    return posting
        self._signal_what_is_due()
        return None

    def _obey(self, kind: int, number: int, *more: Any) -> Posting | None:
        if kind == frames.START:
            posting = Posting(*self._fds[:4])
            del self._fds[:4]
            try:
                pid = self._start(posting)
            except OSError as error:  # no memory, or too many processes
                self.tell(frames.EXITED, number, 0, error.errno)
            else:
                if pid == 0:
                    return posting
                self._children[pid] = Child(number, [])
            for fd in posting:
                os.close(fd)
        else:
            now = time.monotonic()
            for child in self._children.values():
                if child.worker == number:
                    child.signals[:] = [(now + seconds, what) for seconds, what in more[0]]
        return None

    def _fork(self, posting: Posting) -> int:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._control, self._bell, self._ringer):
                end.close()
        return pid

    def _spawn(self, posting: Posting) -> int:
        from subprocess import Popen

        process = Popen(
            command("microtune_execute_local.worker", *posting, self._kit),
            pass_fds=(*posting, self._kit), start_new_session=True,
        )  # fmt: skip
        process.returncode = 0  # it is reaped here, not by Popen
        return process.pid

    def _reap(self) -> None:
        pid = 0
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = found
                _signal_group(pid, signal.SIGKILL)  # what its trial has left running goes with it
                child = self._children.pop(pid, None)
                if child is not None:
                    self.tell(frames.EXITED, child.worker, pid, status)
        except ChildProcessError:  # there is none any more
            pass
        if pid:
            self._kill_strays()

    def _kill_strays(self) -> bool:
        """What has left its worker's session and outlived the worker; whether there was anything."""
        found = [pid for pid in strays.children() if pid not in self._children]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return bool(found)

    def _until_next_signal(self, at_most: float) -> float:
        now = time.monotonic()
        return max(0.0, min((c.signals[0][0] - now for c in self._children.values() if c.signals), default=at_most))

    def _signal_what_is_due(self) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            while child.signals and child.signals[0][0] <= now:
                _, what = child.signals.pop(0)
                if what == signal.SIGUSR2:
                    os.kill(pid, what)  # the worker alone writes its stack
                elif not _signal_group(pid, what):
                    os.kill(pid, what)  # it has not come to its setsid() yet

    def _end(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            child.signals[:] = [(now, signal.SIGTERM), (now + PATIENCE_S, signal.SIGKILL)]
        self._poll.unregister(self._control)
        while self._children:
            self._signal_what_is_due()
            self._poll.poll(self._until_next_signal(1.0) * 1000)
            self._reap()
        until = time.monotonic() + PATIENCE_S
        while self._kill_strays() and time.monotonic() < until:
            self._poll.poll(10)
            self._reap()


def _signal_group(pid: int, what: int) -> bool:
    try:
        os.killpg(pid, what)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True
