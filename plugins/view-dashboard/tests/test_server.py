"""The process: its address, its end, and asking a run to stop."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time

import pytest

from microtune import OptionError, Reader
from microtune.testing import fake_dist
from microtune_view_dashboard.server import serve

from .conftest import SECONDS, Dashboard, make_run


def test_ctrl_c_ends_it_within_a_second_with_streams_open(tmp_path):
    make_run(tmp_path, "run", [{"lr": 0.5}])
    server = Dashboard(tmp_path)
    streams = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS) for _ in range(5)]
    for stream in streams:
        stream.request("GET", "/api/stream")
        assert stream.getresponse().readline() == b"retry: 1000\n"
    children = subprocess.run(["ps", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False)
    assert len(children.stdout.splitlines()) <= 1  # no process but itself, so none can stay
    began = time.monotonic()
    assert server.end() == 0
    assert time.monotonic() - began < 1
    for stream in streams:
        stream.close()


def test_nor_does_a_figure_that_is_being_painted_hold_it_up(tmp_path):
    there = tmp_path / "installed"
    fake_dist(there, "fake-figures", "1.0", {"microtune.figures": {"endless": "fake_figures:endless"}})
    (there / "fake_figures.py").write_text(
        "import time\ndef endless(grid):\n    open(grid.path + '/begun', 'w').close()\n    time.sleep(60)\n"
    )
    run = make_run(tmp_path, "run", [{"lr": 0.5}])
    server = Dashboard(run, path=there)
    asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    asking.request("GET", f"/api/runs/{server.key('run')}/figures/endless")
    deadline = time.monotonic() + SECONDS
    while not (run / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    assert server.end() == 0
    assert time.monotonic() - began < 1
    asking.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com"])
def test_it_is_not_to_be_had_for_other_machines(host):
    with pytest.raises(OptionError, match="ssh -L"):
        serve([], host=host, port=0, browser=False, control=False)


def test_a_port_that_is_taken_is_an_error_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OptionError, match="without --port a free one"):
        serve([], host="127.0.0.1", port=other.getsockname()[1], browser=False, control=False)


def test_a_run_that_is_not_there_is_an_error_in_one_line():
    with pytest.raises(OptionError, match="nowhere"):
        serve(["/nowhere"], host="127.0.0.1", port=0, browser=False, control=False)


RUN = """
import sys, microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
def train(config):
    for step in range(1000):
        print("step", flush=True)
        sys.stdin.readline()
        mt.report(accuracy=step)
tuner = mt.Tuner(train, param_space={"x": mt.uniform(0, 1)}, metric="accuracy", mode="max", num_samples=2,
                 searcher=FakeSearcher(), executor=FakeExecutor(), loggers=(), storage_path=sys.argv[1], name="run")
for session in range(int(sys.argv[2]) - 1):
    try:
        tuner.fit()
    except KeyboardInterrupt:
        tuner = mt.Tuner.restore(tuner.path, train, searcher=FakeSearcher(), executor=FakeExecutor())
tuner.fit()
"""


@contextlib.contextmanager
def live_run(storage, *, sessions=1):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(storage), str(sessions)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "step\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_page_stops_a_run_as_ctrl_c_does(tmp_path):
    with live_run(tmp_path, sessions=2) as run:  # as a notebook does, which resumes where it was stopped
        server = Dashboard(tmp_path, "--control")
        try:
            own, token = f"http://127.0.0.1:{server.port}", server.url.partition("token=")[2]
            path = f"/api/runs/{server.key('run')}/stop"
            for session in (1, 2):
                for _ in range(3):  # a second signal would force the end
                    status, body, _ = server.ask(path, "POST", Origin=own, X_Token=token)
                    assert (status, body) == (200, f'{{"asked":{run.pid}}}')
                run.stdin.write("\n")
                run.stdin.flush()
                if session == 1:
                    assert run.stdout.readline() == "step\n"
            assert run.wait(SECONDS) in (130, -signal.SIGINT, 143)
        finally:
            assert server.end() == 0
    closed = Reader(str(tmp_path / "run")).last("closed")
    assert closed is not None
    assert not closed.body["finished"]
