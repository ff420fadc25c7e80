"""Parameters of a trainable are in memory once, whatever the number of workers and trials."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest

import microtune as mt
from microtune_execute_local import LocalExecutor

SIZE = 50_000_000


class Array:
    """Bytes that offer their memory to pickle, as numpy's arrays do."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return type(self), (pickle.PickleBuffer(self.data),)


def own_memory() -> int:
    """Bytes of this process that are no mapped file's, as memory that it shares is: what a copy would be in."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) * 1024


def look(config, array):
    view = memoryview(array.data)
    total = sum(view[:: len(view) // 1000])  # touches pages all over
    return {"loss": 0.0, "first": view[0], "total": total, "readonly": view.readonly, "own": own_memory()}


@pytest.fixture
def tuner(tmp_path):
    def make(trainable, **more):
        given = {"num_samples": 6, "executor": LocalExecutor(workers=2), "storage_path": tmp_path, **more}
        return mt.Tuner(
            trainable, param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", loggers=(), searcher=Constant(), **given
        )

    return make


class Constant:
    @mt.hookimpl
    def suggest(self, run):
        return mt.Start({"x": 0.5})


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux says whose memory it is")
def test_no_worker_and_no_trial_has_a_copy(tuner):
    results = tuner(mt.with_parameters(look, array=Array(bytearray(b"\x07" * SIZE)))).fit()
    assert len(results) == 6
    for trial in results:
        assert (trial.metrics["first"], trial.metrics["readonly"]) == (7, True)
        assert trial.metrics["total"] in (7000, 7007)
        assert trial.metrics["own"] < SIZE / 2


def test_a_parameter_that_cannot_be_sent_is_named(tuner):
    with pytest.raises(mt.OptionError, match=r"'look' uses 'array', which uses .*'rows'.* \(a _thread.lock\), which cannot be"):
        tuner(mt.with_parameters(look, array={"rows": threading.Lock()})).fit()
