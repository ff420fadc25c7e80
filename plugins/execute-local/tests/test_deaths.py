from __future__ import annotations

import errno
import os
import signal

import pytest

from microtune_execute_local import deaths


@pytest.mark.parametrize(
    ("pid", "status", "words"),
    [
        (12, signal.SIGKILL, "worker process 12 was killed by SIGKILL"),
        (12, 63, "worker process 12 was killed by signal 63"),
        (12, 3 << 8, "worker process 12 exited with status 3 before its trial had ended"),
        (0, errno.EAGAIN, f"no worker process could be started: {os.strerror(errno.EAGAIN)}"),
    ],
)
def test_an_end_in_words(pid, status, words):
    assert deaths.describe(pid, status) == words


def test_only_sigkill_is_suspected_of_want_of_memory():
    assert deaths.by_sigkill(signal.SIGKILL)
    assert not deaths.by_sigkill(signal.SIGTERM)
    assert not deaths.by_sigkill(9 << 8)


def test_the_system_counts_what_it_kills_for_want_of_memory():
    assert deaths.oom_kills() >= 0
