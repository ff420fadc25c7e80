"""A TensorBoard process of this machine's own shows the trials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeSearcher
from microtune_log_tensorboard import TensorBoardLogger

SECONDS = 60  # until TensorBoard is there, and until it has read the files; it takes about five


def train(config: dict[str, Any]) -> None:
    for step in (1, 2, 3):
        mt.report(loss=config["lr"] / step, eval={"accuracy": step / 4})
        if step == 2 and mt.get_context().number == 3:
            raise ValueError("<script>alert(1)</script>")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    space = {
        "lr": mt.uniform(0, 1),
        "model": mt.choice(
            [{"kind": "tree", "depth": mt.randint(1, 9)}, {"kind": "net", "bias": mt.choice([True, False])}]
        ),
        "<b>": mt.choice(["x", None]),
    }
    mt.Tuner(
        train, param_space=space, metric="loss", mode="min", num_samples=8, seed=1, searcher=FakeSearcher(),
        executor=FakeExecutor(workers=2), loggers=[TensorBoardLogger()], storage_path=path, name="run",
    ).fit()  # fmt: skip
    return path / "run" / "tensorboard"


class Server:
    def __init__(self, address: str) -> None:
        self.address = address
        self._open = build_opener(ProxyHandler({})).open

    def get(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/data/plugin/{path}", data, {"Content-Type": "application/json"})
        with self._open(request, timeout=SECONDS) as response:
            return json.loads(response.read())

    def rows(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """The HParams table, by learning rate."""
        states = ["STATUS_SUCCESS", "STATUS_FAILURE", *([] if ended else ["STATUS_UNKNOWN", "STATUS_RUNNING"])]
        columns = [{"hparam": "lr", "order": "ORDER_ASC"}]
        wanted = {
            "experimentName": "",
            "startIndex": 0,
            "sliceSize": 100,
            "colParams": columns,
            "allowedStatuses": states,
        }
        found: list[dict[str, Any]] = self.get("hparams/session_groups", wanted).get("sessionGroups", [])
        return found


@pytest.fixture(scope="module", params=["true", "false"], ids=["the fast loader", "the loader in Python"])
def server(request: pytest.FixtureRequest, logdir: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--load_fast", request.param], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        late = threading.Timer(SECONDS, process.kill)
        late.start()
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            else:
                pytest.fail(f"TensorBoard did not start: {said}")
            late.cancel()
            server = Server(found[0])
            until = time.monotonic() + SECONDS
            while (
                len(server.rows(ended=True)) < 8 and time.monotonic() < until
            ):  # how it ended is the last that a file says
                time.sleep(0.2)
            yield server
        finally:
            late.cancel()
            process.terminate()
            process.wait(SECONDS)


def test_every_trial_has_its_scalars(server: Server, logdir: Path) -> None:
    tags = server.get("scalars/tags")
    assert set(tags) == {f"{number:05d}" for number in range(8)}
    assert set(tags["00000"]) == {"loss", "eval/accuracy"}
    for trial in mt.ResultGrid(logdir.parent):
        points = server.get(f"scalars/scalars?run={trial.id}&tag=loss")
        assert [step for _, step, _ in points] == [row["training_iteration"] for row in trial.history]
        assert [value for _, _, value in points] == pytest.approx([row["loss"] for row in trial.history])


def test_every_trial_is_a_row_of_the_hparams_table(server: Server, logdir: Path) -> None:
    experiment = server.get("hparams/experiment", {"experimentName": ""})
    kinds = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert kinds == {
        "lr": "DATA_TYPE_FLOAT64", "model/kind": "DATA_TYPE_STRING", "model/depth": "DATA_TYPE_FLOAT64",
        "model/bias": "DATA_TYPE_BOOL", "<b>": "DATA_TYPE_STRING",
    }  # fmt: skip
    assert {info["name"]["tag"] for info in experiment["metricInfos"]} == {"loss", "eval/accuracy"}
    rows = server.rows()
    trials = {trial.id: trial for trial in mt.ResultGrid(logdir.parent)}
    assert [row["name"] for row in rows] == sorted(trials, key=lambda name: trials[name].config["lr"])
    for row in rows:
        trial = trials[row["name"]]
        assert row["hparams"]["lr"] == trial.config["lr"]
        assert row["hparams"]["model/kind"] == trial.config["model"]["kind"]
        assert {each["name"]["tag"]: each["value"] for each in row["metricValues"]}["loss"] == pytest.approx(
            trial.history[-1]["loss"]
        )
        assert row["sessions"][0]["status"] == ("STATUS_FAILURE" if trial.id == "00003" else "STATUS_SUCCESS")


def test_a_traceback_is_shown_as_text_and_never_as_a_script(server: Server) -> None:
    assert server.get("text/tags") == {"00003": ["error"]}
    (text,) = server.get("text/text?run=00003&tag=error")
    assert text["step"] == 2
    assert "ValueError" in text["text"]
    assert "<script>" not in text["text"]
