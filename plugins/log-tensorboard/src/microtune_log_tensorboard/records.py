"""An event file that holds each event exactly once, however its writer ended.

Its format is TensorFlow's TFRecord: uint64 length, uint32 masked CRC-32C of it, the data, uint32 masked CRC-32C of that; all
little-endian. The data is an `Event` of TensorBoard, and behind it one more field, which TensorBoard passes over as every
reader of protocol buffers passes over a field that it does not know: the `seq` of the event of the journal that this is.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from microtune import RunError

NAME = "events.out.tfevents.microtune"  # TensorBoard reads whatever has "tfevents" in its name

_HEAD, _FOOT = 12, 4  # bytes around the data
# Field 50505, of fixed size, so that it can be read from the end: 50000 to 99999 are given to nobody.
_MARK = b"\xc9\xd4\x18"
_TAIL = struct.Struct("<3sQ")
_LENGTH = struct.Struct("<Q")


def opened(path: str) -> BinaryIO:
    # Unbuffered: one write an event, and the death of the process takes nothing.
    return open(path, "ab", buffering=0)


def append(file: BinaryIO, events: Sequence[tuple[int, Event]]) -> None:
    """Write these in one go, each with its seq; what belongs to the file and not to the journal has seq 0."""
    frame = io.BytesIO()
    writer = RecordWriter(frame)
    for seq, event in events:
        writer.write(event.SerializeToString() + _TAIL.pack(_MARK, seq))
    data = frame.getvalue()
    while data:  # a disk that gets full takes a part, and raises at the next part
        data = data[file.write(data) :]


def mend(path: str) -> tuple[int, int]:
    """Cut off what was being written when the process died; the seq and the step of the last event, (0, 0) without one."""
    if not os.path.exists(path) or not os.path.getsize(path):  # an empty file cannot be mapped
        return 0, 0
    with open(path, "r+b", buffering=0) as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            seq, start, end = _last(data)
            if not seq and not _ours(data):
                raise RunError(f"{path!r} was not written by logger 'tensorboard': move it away")
            step = Event.FromString(data[start:end]).step
        file.truncate(end + _FOOT if seq else 0)
    return seq, step


def _last(data: mmap.mmap) -> tuple[int, int, int]:
    """The last event that is there as a whole: its seq, and where its data begins and ends."""
    seq, first, last = 0, 0, 0
    start, size = _HEAD, len(data)
    while start <= size:
        end = start + _LENGTH.unpack_from(data, start - _HEAD)[0]
        if end + _FOOT > size or end - start < _TAIL.size:
            break
        mark, number = _TAIL.unpack_from(data, end - _TAIL.size)
        if mark != _MARK:
            break
        if number:
            seq, first, last = number, start, end
        start = end + _FOOT + _HEAD
    return seq, first, last


def _ours(data: mmap.mmap) -> bool:
    """Whether this may be what a death left of the first event: it begins with a short record that names its writer."""
    return len(data) < _HEAD or _LENGTH.unpack_from(data)[0] < 256
