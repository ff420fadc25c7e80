from __future__ import annotations

import re
from pathlib import Path

import pytest

import microtune as mt
from microtune.storage import find_run, find_trial, open_run, runs_in, storage_path
from microtune.testing import FakeExecutor, FakeSearcher


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default storage, with two runs of one trial."""
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    for name in ("first", "second"):
        mt.Tuner(
            lambda config: mt.report(loss=config["x"]), param_space={"x": mt.uniform(0, 9)}, metric="loss", mode="min",
            searcher=FakeSearcher(configs=[{"x": 1}]), executor=FakeExecutor(), loggers=(), name=name,
        ).fit()  # fmt: skip
    return tmp_path / "runs"


def test_a_run_is_found_by_its_folder_and_by_its_name(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_run("second") == find_run(str(storage / "second")) == str(storage / "second")
    monkeypatch.chdir(storage)
    monkeypatch.setenv("MICROTUNE_STORAGE", str(storage / "elsewhere"))
    assert find_run("first") == str(storage / "first")
    assert open_run("first")[0].metrics["loss"] == 1


def test_an_unknown_run_is_answered_with_the_nearest(storage: Path) -> None:
    with pytest.raises(mt.RunError, match=re.escape("there is no run 'secnod', neither as a folder nor in ")) as caught:
        open_run("secnod")
    assert "did you mean 'second'?" in str(caught.value)


def test_the_runs_of_a_storage_are_its_folders_with_a_journal(storage: Path) -> None:
    (storage / "no-run").mkdir()
    (storage / "file").write_text("")
    assert runs_in(storage_path()) == [str(storage / "first"), str(storage / "second")]
    assert runs_in(str(storage / "nowhere")) == []


def test_a_trial_is_found_by_its_id_and_by_its_number(storage: Path) -> None:
    grid = open_run("first")
    assert find_trial(grid, "00000") is find_trial(grid, "0") is grid[0]
    with pytest.raises(mt.RunError, match="has no trial '7'"):
        find_trial(grid, "7")
