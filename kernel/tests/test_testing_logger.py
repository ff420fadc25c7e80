"""The contract of loggers, kept by one that writes lines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeLogger, LoggerContract


class Lines:
    """Appends each event to lines.json, once."""

    exactly_once = True

    @mt.hookimpl
    def setup(self, run):
        os.makedirs(run.path, exist_ok=True)
        path = Path(run.path, "lines.json")
        self._seq = json.loads(path.read_text().splitlines()[-1])[0] if path.exists() and path.read_text() else 0
        self._file = open(path, "a")

    @mt.hookimpl
    def log(self, event):
        if not self.exactly_once or event.seq > self._seq:
            self._file.write(json.dumps([event.seq, event.kind, event.trial, event.body]) + "\n")
            self._file.flush()

    @mt.hookimpl
    def teardown(self):
        self._file.close()


class LinesContract(LoggerContract):
    plugin = Lines

    def results(self, path):
        lines = [json.loads(line) for line in (path / "lines.json").read_text().splitlines()]
        return [
            (trial, body["iteration"], body["metrics"].get("loss"))
            for _, kind, trial, body in lines
            if kind == "result" and not body.get("repeat")
        ]


class TestLines(LinesContract):
    pass


class TestOneThatKeepsNothing(LoggerContract):
    plugin = FakeLogger


class Twice(Lines):
    """Writes again what comes again."""

    exactly_once = False


class Raises(Lines):
    """Cannot take text."""

    @mt.hookimpl
    def log(self, event):
        if event.kind == "result":
            float(event.body["metrics"]["text"])


def test_a_logger_that_writes_twice_is_found(tmp_path, caplog):
    contract = type("Contract", (LinesContract,), {"plugin": Twice})()
    with pytest.raises(AssertionError):
        contract.test_the_same_events_may_come_twice(7, tmp_path, caplog)


def test_a_logger_that_raises_is_found(tmp_path, caplog):
    contract = type("Contract", (LoggerContract,), {"plugin": Raises})()
    with pytest.raises(AssertionError, match="'Raises'"):
        contract.test_any_value_may_be_reported(tmp_path, caplog)
