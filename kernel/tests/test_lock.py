"""The folder of a run: made, and held by one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

import microtune as mt
from microtune.journal import Journal, Reader
from microtune.lock import LOCK, lock, lock_holder


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
        from microtune.journal import Journal, Reader
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
        from microtune.journal import Journal, Reader
        if os.getuid() == 0:  # root may write anywhere, so another user tries
            os.setuid(65534)
        Journal({folder!r}, create=True)
    """
    tried = python(code)
    assert "microtune.faults.RunError: the folder of the run, " in tried.stderr
    assert "give another storage_path=" in tried.stderr


def test_a_lock_that_is_a_link_does_not_empty_what_it_leads_to(tmp_path):
    (tmp_path / "thesis").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "thesis")
    with pytest.raises(mt.RunError, match="cannot be written"):
        lock(str(tmp_path / "run"))
    assert (tmp_path / "thesis").read_text() == "precious"


def test_a_file_system_without_locks_is_one_clear_error(folder, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(mt.RunError, match=r"has no locks .*, so nothing would keep a second process .*: give another"):
        Journal(folder, create=True)


# --- other processes -------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(folder):
    """A process that writes 60,000 events to a run, one by one and as fast as it can, and then waits to be ended."""
    code = f"""
        from microtune.events import Event
        from microtune.journal import Journal

        journal = Journal({folder!r}, create=True)
        journal.append(Event(1, 0.0, "opened", None, {{"id": "x", "settings": {{"metric": "loss", "mode": "min"}}}}))
        journal.append(Event(2, 0.0, "created", "00000", {{"number": 0, "config": {{"x": 1}}}}))
        journal.append(Event(3, 0.0, "launched", "00000", {{"attempt": 1}}))
        journal.commit()
        print("begun", flush=True)
        for seq in range(4, 60_001):
            body = {{"iteration": seq - 3, "metrics": {{"loss": 1 / seq, "name": "a" * 50}}, "time_total_s": 0.1}}
            journal.append(Event(seq, 0.0, "result", "00000", body))
            journal.commit()
        print("done", flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def test_readers_neither_hold_up_a_writer_nor_let_its_log_grow(writer, folder):
    """One that stops in the middle of reading, one that reads all the time; each sees a run that might have ended there."""
    log = os.path.join(folder, "journal.db-wal")
    slow, busy = Reader(folder), Reader(folder)
    half = slow.events()
    next(half)
    largest, seen, deadline = 0, [], time.monotonic() + 120
    while busy.seq() < 60_000:
        assert time.monotonic() < deadline
        largest = max(largest, os.path.getsize(log))
        grid = mt.ResultGrid(folder)
        iterations = [row["training_iteration"] for row in grid[0].history]
        assert iterations == list(range(1, len(iterations) + 1))
        seen.append(len(iterations))
    assert writer.stdout.readline() == "done\n"
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    largest = max(largest, os.path.getsize(log))
    assert largest < 40e6, "32,000 pages of a kilobyte, after which it is begun anew; this writer makes twice as many and more"
    assert os.path.getsize(os.path.join(folder, "journal.db")) > 5e6
    assert sum(1 for _ in half) < 60_000, "it sees what there was when it began"


def test_a_child_that_outlives_its_writer_holds_no_lock(folder, tmp_path):
    """A trainable may fork; what it forks has all files of the driver open."""
    code = f"""
        import os, time
        from microtune.events import Event
        from microtune.journal import Journal

        journal = Journal({folder!r}, create=True)
        journal.append(Event(1, 0.0, "opened", None, {{"settings": {{}}}}))
        journal.commit()
        if os.fork() == 0:
            print(os.getpid(), flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            with pytest.raises(mt.RunError, match=f"process {process.pid} on"):
                Journal(folder, create=False)
            process.kill()
            process.wait()
            os.kill(child, 0)
            journal = Journal(folder, create=False)
            assert [event.kind for event in journal.events()] == ["opened"]
            journal.close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_holder_of_the_lock_is_named_while_it_holds_it(tmp_path):
    assert lock_holder(tmp_path) is None
    file = lock(str(tmp_path))
    assert lock_holder(tmp_path) == f"process {os.getpid()} on {socket.gethostname()}"
    file.close()
    assert lock_holder(tmp_path) is None
    lock(str(tmp_path)).close()
