"""The journal of every released version is read, replayed and gone on with."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

import microtune as mt
from microtune.events import KINDS
from microtune.journal import Journal, Reader

FROZEN = Path(__file__).parent / "frozen"
VERSIONS = sorted(path.stem for path in FROZEN.glob("*.sql"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_frozen", FROZEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=VERSIONS)
def frozen(request, tmp_path):
    """(the folder of the run, what is written down beside it)"""
    folder = tmp_path / "run"
    folder.mkdir()
    db = sqlite3.connect(folder / "journal.db")
    db.executescript((FROZEN / f"{request.param}.sql").read_text(encoding="utf-8"))
    db.close()
    return str(folder), json.loads((FROZEN / f"{request.param}.json").read_text(encoding="utf-8"))


def test_this_version_has_a_frozen_journal():
    assert mt.__version__ in VERSIONS


def test_a_frozen_journal_comes_to_what_is_written_down(frozen, make):
    folder, state = frozen
    assert make.state_of(folder) == state


def test_a_frozen_journal_has_every_kind_of_event(frozen):
    folder, _ = frozen
    reader = Reader(folder)
    assert {event.kind for event in reader.events()} == set(KINDS)
    reader.close()


def test_the_positions_of_loggers_are_read(frozen):
    journal = Journal(frozen[0], create=False)
    assert journal.loggers() == {"JsonLogger": 70}
    journal.close()


def test_a_frozen_run_goes_on(frozen, make):
    folder, state = frozen
    more = make.plugins(scheduler=make.Planner())
    results = mt.Tuner.restore(folder, make.train, param_space=make.space(), **more).fit()
    assert len(results) == state["created"]
    assert results.closed["finished"]
    before = {number: history for number, *_, history in state["results"]}
    assert all(len(trial.history) >= before[trial.number] for trial in results)
    assert {trial.state for trial in results} == {"COMPLETED", "STOPPED", "FAILED"}
