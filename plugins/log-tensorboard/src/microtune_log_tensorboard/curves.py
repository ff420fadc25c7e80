"""The folders of TensorBoard's runs: one for each trial, and one more each time that a trial goes on with another config."""

from __future__ import annotations

import os
from typing import BinaryIO

from tensorboard.compat.proto.event_pb2 import Event, SessionLog, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary

from microtune import RunError
from microtune_log_tensorboard import records

OPEN = 64  # files at a time: more trials than that seldom run at once, and the usual limit of a process is 1,024


class Curve:
    """One of TensorBoard's runs. `seq` is that of the last event in its file, 0 where there is none."""

    __slots__ = ("line", "seq", "step", "trial")

    def __init__(self, trial: str, line: int = 1, seq: int = 0, step: int = 0) -> None:
        self.trial = trial
        self.line = line
        self.seq = seq
        self.step = step

    @property
    def name(self) -> str:
        return self.trial if self.line == 1 else f"{self.trial}/line-{self.line}"


class Curves:
    """The curves of the trials that have not ended; those of a former session are looked up when they are asked for."""

    def __init__(self, folder: str, *, resumed: bool) -> None:
        """`folder` is that of the run as it really is, without links, and tensorboard in it."""
        self._folder = folder
        self._resumed = resumed
        self._curves: dict[str, Curve] = {}
        self._files: dict[str, BinaryIO] = {}  # the one that was used last is last

    def of(self, trial: str) -> Curve:
        """The latest line of this trial."""
        curve = self._curves.get(trial)
        if curve is None:
            curve = self._curves[trial] = self._found(trial) if self._resumed else Curve(trial)
        return curve

    def branch(self, curve: Curve) -> Curve:
        """The trial goes on in a run of its own."""
        fresh = self._curves[curve.trial] = Curve(curve.trial, curve.line + 1)
        self._close(curve.name)
        return fresh

    def write(self, curve: Curve, seq: int, at: float, summary: Summary) -> None:
        self._append(curve, seq, Event(wall_time=at, step=curve.step, summary=summary))

    def restart(self, curve: Curve, seq: int, at: float) -> None:
        """What is there of later steps is history: TensorBoard drops it from the curve."""
        self._append(curve, seq, _start(at, curve.step + 1))

    def forget(self, trial: str) -> None:
        """The trial has ended."""
        self._close(self._curves.pop(trial).name)

    def close(self) -> None:
        for name in list(self._files):
            self._close(name)

    def _append(self, curve: Curve, seq: int, event: Event) -> None:
        at = event.wall_time
        head = [] if curve.seq else [(0, _version(at)), (0, _start(at, 0))]
        records.append(self._file(curve.name), [*head, (seq, event)])
        curve.seq = seq

    def _file(self, name: str) -> BinaryIO:
        file = self._files.pop(name, None)
        if file is None:
            path = self._path(name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = records.opened(path)
            if len(self._files) == OPEN:
                self._close(next(iter(self._files)))
        self._files[name] = file
        return file

    def _close(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            file.close()

    def _path(self, name: str) -> str:
        path = os.path.join(self._folder, *name.split("/"), records.NAME)
        if os.path.realpath(path) != path:  # a run that came from somewhere may hold a link to what is not its own
            raise RunError(
                f"{path!r} leads out of the run, to {os.path.realpath(path)!r}: put a folder in the place of the link"
            )
        return path

    def _found(self, trial: str) -> Curve:
        """A line whose first event was not written whole is begun again."""
        folder = os.path.join(self._folder, trial)
        lines = [name.removeprefix("line-") for name in os.listdir(folder)] if os.path.isdir(folder) else []
        for line in sorted({1, *(int(number) for number in lines if number.isdecimal())}, reverse=True):
            curve = Curve(trial, line)
            curve.seq, curve.step = records.mend(self._path(curve.name))
            if curve.seq:
                return curve
        return Curve(trial)


def _version(at: float) -> Event:
    source = SourceMetadata(writer="microtune_log_tensorboard")
    return Event(wall_time=at, file_version="brain.Event:2", source_metadata=source)


def _start(at: float, step: int) -> Event:
    """From the second one in a file on, TensorBoard drops the values of this step and of later ones."""
    return Event(wall_time=at, step=step, session_log=SessionLog(status=SessionLog.START))
