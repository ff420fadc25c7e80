"""The folder of a run: made, and held by one writer at a time."""

from __future__ import annotations

import os
import socket

import pytest

import microtune as mt
from microtune.journal import Journal


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "run")


def test_a_second_writer_is_told_who_the_first_one_is(tuner, opened, restored):
    run = opened(tuner())
    with pytest.raises(mt.RunError, match=f"process {os.getpid()} on {socket.gethostname()} is writing to the run in") as error:
        restored().open()
    assert "wait for it, or end it, then try again" in str(error.value)
    assert run.step()


def test_another_process_is_told_so_too(tuner, opened, python):
    run = opened(tuner())
    code = f"from microtune.journal import Journal; Journal({run.facts.path!r}, create=False)"
    other = python(code)
    assert f"RunError: process {os.getpid()} on" in other.stderr


def test_a_writer_that_was_killed_locks_nobody_out(folder, python):
    code = f"""
        import os, signal
        from microtune.events import Event
        from microtune.journal import Journal
        journal = Journal({folder!r}, create=True)
        journal.append(Event(1, 0.0, "opened", None, {{"settings": {{}}}}))
        journal.commit()
        journal.append(Event(2, 0.0, "closed", None, {{}}))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = python(code)
    assert killed.returncode == -9
    journal = Journal(folder, create=False)
    assert [event.kind for event in journal.events()] == ["opened"]
    journal.close()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tuner, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(mt.RunError, match="cannot be made: Not a directory: give another storage_path="):
        tuner(storage_path=tmp_path / "file").fit()


def test_a_folder_that_cannot_be_written_is_one_clear_error(folder, python):
    os.makedirs(folder)
    os.chmod(folder, 0o555)
    code = f"""
        import os
        from microtune.journal import Journal
        if os.getuid() == 0:  # root may write anywhere, so another user tries
            os.setuid(65534)
        Journal({folder!r}, create=True)
    """
    tried = python(code)
    assert "microtune.faults.RunError: the folder of the run, " in tried.stderr
    assert "give another storage_path=" in tried.stderr
