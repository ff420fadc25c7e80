"""An object store of this machine's own: moto's server, on a port of its own, gone with the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import microtune as mt

PATIENCE = 60.0  # seconds, for anything: many times what it takes


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address, which the environment names to every process from here on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = tmp_path_factory.mktemp("moto") / "said"
    with said.open("wb") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1", "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        _wait_until_it_answers(server, address, said)
        yield address
    finally:
        server.kill()
        server.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str, said: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.05)


_numbers = count()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's URL; journals go to the test's folder."""
    import s3fs

    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    name = f"bucket-{next(_numbers)}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def objects(bucket: str) -> Callable[[], list[str]]:
    """What the bucket holds now."""
    import s3fs

    def objects() -> list[str]:
        store = s3fs.S3FileSystem()
        store.invalidate_cache()
        name = bucket.removeprefix("s3://")
        return [path.removeprefix(f"{name}/") for path in store.find(name)]

    return objects


@pytest.fixture
def tuner(bucket: str) -> Callable[..., mt.Tuner]:
    """A Tuner whose checkpoints go to the bucket."""

    def make(trainable: Any, **more: Any) -> mt.Tuner:
        given = {
            "param_space": {"x": mt.uniform(0, 1)}, "metric": "loss", "mode": "min", "seed": 1, "name": "run", "loggers": (),
            "storage_path": f"{bucket}/tune", "max_failures": 1, **more,
        }  # fmt: skip
        return mt.Tuner(trainable, **given)

    return make
