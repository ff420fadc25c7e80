"""Runs whose checkpoints are in an object store, spoken to over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import microtune as mt
from microtune import remote
from microtune.testing import errands

HERE = Path(__file__).parent
PATIENCE = 60.0  # seconds, for anything: many times what it takes


def kept(trial: int, *names: str) -> list[str]:
    return [f"tune/run/trials/{trial:05d}/checkpoints/{name}" for name in names]


# --- the store itself ------------------------------------------------------------------------------------------------


def test_a_folder_comes_back_as_it_was_and_nothing_else_is_removed(bucket, objects, tmp_path):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "empty").mkdir()
    for name in ("weights", "deep/er/state", "deep/größe [1]*?#.txt", "nothing in it", *map(str, range(20))):
        (source / name).write_bytes(b"" if name == "nothing in it" else os.urandom(2000))
    for name in ("5-1", "5-10"):
        remote.upload(str(source), f"{bucket}/run/trials/00000/checkpoints/{name}")
    (source / "weights").unlink()
    remote.upload(str(source), f"{bucket}/run/trials/00000/checkpoints/5-1")
    with mt.as_directory(f"{bucket}/run/trials/00000/checkpoints/5-1") as copy:
        assert _contents(copy) == _contents(source)
    assert remote.checkpoints(f"{bucket}/run") == {f"{bucket}/run/trials/00000/checkpoints/{n}" for n in ("5-1", "5-10")}
    remote.remove(f"{bucket}/run/trials/00000/checkpoints/5-1")
    assert {path.split("/")[4] for path in objects()} == {"5-10"}
    remote.remove(f"{bucket}/run/trials/00000/checkpoints/5-1")
    with pytest.raises(mt.RunError, match="5-1 is not there"), mt.as_directory(f"{bucket}/run/trials/00000/checkpoints/5-1"):
        pass


def _contents(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_bucket_that_is_not_there_is_refused_before_any_trial_and_not_made(tuner, bucket, tmp_path):
    with pytest.raises(mt.RunError, match="s3://no-such-bucket/run cannot hold the checkpoints of this run: "):
        tuner(errands.careful, executor="inline", storage_path="s3://no-such-bucket").fit()
    assert os.listdir(tmp_path / "runs") == []
    with pytest.raises(mt.RunError, match="cannot be listed"):
        remote.checkpoints("s3://no-such-bucket/run")


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["inline", "local", "simulated:workers=2"])
def test_a_failed_trial_goes_on_from_its_checkpoint_and_the_old_ones_are_removed(executor, tuner, objects):
    space = {"x": mt.uniform(0, 1), "fail": True}
    results = tuner(errands.careful, param_space=space, executor=executor, num_samples=2, checkpoints={"keep": 1}).fit()
    for trial in results:
        assert (trial.state, trial.error) == ("COMPLETED", None)
        assert [row["first"] for row in trial.history] == [0, 0, 0, 3, 3, 3]
        with mt.as_directory(trial.checkpoint) as folder:
            assert (folder / "deep" / "step").read_text() == "6"
    assert objects() == ["tune/run/run.json", *(f"{kept(n, '6-2')[0]}/deep/step" for n in (0, 1))]


def test_a_class_is_paused_and_goes_on_on_another_worker(tuner):
    scheduler = "asha:max_t=8,reduction_factor=2,type=promotion"
    results = tuner(errands.Counter, executor="local:fresh=true", scheduler=scheduler, num_samples=4).fit()
    assert all(trial.error is None for trial in results)
    promoted = [trial for trial in results if len(trial.history) > 2]
    assert promoted
    for trial in promoted:
        assert [row["loss"] for row in trial.history] == list(range(1, len(trial.history) + 1))


def test_a_population_copies_its_donors_from_the_store(tuner):
    scheduler = "pbt:perturbation_interval=2"
    given = {"num_samples": 4, "mode": "max", "checkpoints": {"keep": 2}, "max_failures": 0}
    results = tuner(climbs, executor="local:workers=2", scheduler=scheduler, **given).fit()
    assert all(trial.error is None for trial in results)
    restored = {row["donor"] for trial in results for row in trial.history} - {None}
    assert restored, "nobody has copied anybody"
    for trial in results:
        assert trial.checkpoint.startswith("s3://")


def climbs(config):
    folder, number = mt.get_checkpoint(), mt.get_context().number
    value, donor = (float((folder / "value").read_text()), folder.name) if folder else (float(number), None)
    for _ in range(10 - (int(donor.split("-")[0]) if donor else 0)):
        value += config["x"]
        with mt.checkpoint_dir() as draft:
            (draft / "value").write_text(str(value))
        mt.report(loss=value, donor=donor, checkpoint=draft)


# --- the driver dies -------------------------------------------------------------------------------------------------


def test_a_killed_run_goes_on_from_the_store(bucket, objects, tmp_path, monkeypatch):
    go, run = tmp_path / "go", tmp_path / "runs" / "run"
    driver = subprocess.Popen([sys.executable, str(HERE / "driver.py"), f"{bucket}/tune", str(go)], cwd=HERE)
    try:
        end = time.monotonic() + PATIENCE
        while not all(f"{kept(n, '3-1')[0]}/step" in objects() for n in (0, 1)) or not _reported(run, 3):
            assert driver.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    stray = f"{bucket}/tune/run/trials/00000/checkpoints/4-1"
    (tmp_path / "stray").mkdir()
    remote.upload(str(tmp_path / "stray"), stray)
    go.touch()
    monkeypatch.syspath_prepend(HERE)
    results = mt.Tuner.restore(run).fit()
    for number, trial in enumerate(results):
        assert (trial.state, trial.error) == ("COMPLETED", None)
        assert [row["first"] for row in trial.history] == [0, 0, 0, 3, 3, 3]
        assert trial.checkpoint == f"{bucket}/{kept(number, '6-2')[0]}"
    assert objects() == ["tune/run/run.json", *(f"{path}/step" for n in (0, 1) for path in kept(n, "5-2", "6-2"))]


def _reported(run, iteration):
    try:
        return len(grid := mt.ResultGrid(run)) == 2 and all(t.metrics.get("training_iteration") == iteration for t in grid)
    except mt.RunError:  # it has not begun
        return False
