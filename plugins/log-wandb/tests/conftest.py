"""W&B offline, on this machine alone, and its files read back."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record

_BLOCK, _HEAD, _IDENT = 32768, struct.Struct("<IHB"), b":W&B\xe1\xbe\x00"
_LAST_PARTS = (1, 4)  # of a record: FULL and LAST; 2 and 3 go on

os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_ERROR_REPORTING"] = "false"


@dataclass
class Written:
    """What one of W&B's files says."""

    id: str
    trial: str
    run: Any = None  # its RunRecord
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    preempting: bool = False


def records(path: Path) -> Iterator[Record]:
    """LevelDB's log format (its doc/log_format.md): blocks of 32 KiB, in them parts of records with a head of 7 bytes."""
    data, position, record = path.read_bytes(), len(_IDENT), b""
    assert data[:position] == _IDENT
    while position + _HEAD.size <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEAD.size:
            position += left
            continue
        _, length, part = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        record += data[position : position + length]
        position += length
        if part in _LAST_PARTS:
            yield Record.FromString(record)
            record = b""


def read(path: Path) -> list[Written]:
    """Every file under the folder wandb of this run, by id."""
    found = []
    for file in sorted(path.glob("wandb/*run-*/run-*.wandb"), key=lambda file: file.stem):
        if file.parent.is_symlink():  # latest-run
            continue
        name = file.stem.removeprefix("run-")
        written = Written(name, name.partition("-")[2])
        for record in records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run" and written.run is None:
                written.run = record.run
                written.config = {each.key: json.loads(each.value_json) for each in record.run.config.update}
            elif kind == "history":
                items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                written.rows.append({name: json.loads(value) for name, value in items.items()})
            elif kind == "summary":
                for item in record.summary.update:
                    written.summary["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
            elif kind == "exit":
                written.exit_code = record.exit.exit_code
            elif kind == "preempting":
                written.preempting = True
        found.append(written)
    return found


@pytest.fixture(name="read", scope="session")
def _read() -> Callable[[Path], list[Written]]:
    return read


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_") and name != "WANDB_ERROR_REPORTING"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # no key of the one who runs the tests
