"""Runs to look at, made by the kernel's own fakes, and a dashboard in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher

HOSTILE = "<img src=x onerror=document.title='owned'>"
SECONDS = 30  # for whatever is waited for


def train(config: dict[str, Any]) -> None:
    for step in range(1, 1 + config.get("steps", 3)):
        mt.report({"accuracy": config["lr"] * step / 10, HOSTILE: step})
        if config.get("fails"):
            raise ValueError("<script>document.title='owned'</script>")


def make_run(
    storage: Path, name: str, configs: list[dict[str, Any]], trainable: Callable[[dict[str, Any]], None] = train
) -> Path:
    mt.Tuner(
        trainable, param_space={"lr": mt.uniform(0, 1)}, metric="accuracy", mode="max", num_samples=len(configs),
        searcher=FakeSearcher(configs=configs), executor=FakeExecutor(workers=4), loggers=(), storage_path=storage, name=name,
    ).fit()  # fmt: skip
    return storage / name


class Dashboard:
    def __init__(self, *arguments: str | Path, path: Path | None = None) -> None:
        """`path`: where distributions lie that are installed for this dashboard only."""
        code = "import sys; from microtune.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "dashboard", "--json", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.url: str = json.loads(line)["url"]
        self.port = int(self.url.split("/")[2].rpartition(":")[2])

    def ask(
        self, path: str, method: str = "GET", host: str | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers of the answer to a request as raw as one can be."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, body, _ = self.ask(path)
        assert status == 200, body
        return json.loads(body)

    def key(self, name: str) -> str:
        return next(run["key"] for run in self.json("/api/runs")["runs"] if run["name"] == name)

    def end(self) -> int:
        """Ctrl-C; what it wrote to stderr has to be nothing."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            _, errors = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert errors == ""
        return self.process.returncode


@pytest.fixture
def dashboard() -> Iterator[Callable[..., Dashboard]]:
    begun: list[Dashboard] = []

    def begin(*arguments: str | Path, path: Path | None = None) -> Dashboard:
        begun.append(Dashboard(*arguments, path=path))
        return begun[-1]

    yield begin
    for each in begun:
        each.end()
