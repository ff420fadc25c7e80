"""What is shown of a trial's folder, where its files are anything."""

from __future__ import annotations

import os

import pytest

from microtune import RunError
from microtune_view_dashboard.folders import listing, read_text


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run" / "trials" / "00000"
    path.mkdir(parents=True)
    return path


def test_a_pipe_holds_up_nobody(folder, tmp_path):
    os.mkfifo(folder / "pipe")
    assert listing(str(folder))["files"] == []
    with pytest.raises(RunError, match="is not a file"):
        read_text(str(tmp_path / "run"), str(folder), "pipe")


def test_a_folder_that_is_a_link_to_elsewhere_is_not_read(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    folder.rmdir()
    folder.symlink_to(outside)
    with pytest.raises(RunError, match="not in the folder"):
        read_text(str(tmp_path / "run"), str(folder), "file")


def test_of_a_long_file_the_end_is_shown(folder, tmp_path):
    (folder / "long").write_bytes(b"x" * 300_000 + b"the end")
    found = read_text(str(tmp_path / "run"), str(folder), "long")
    assert found["cut"]
    assert len(found["text"]) == 200_000
    assert found["text"].endswith("xthe end")


def test_what_is_no_text_is_not_shown(folder, tmp_path):
    (folder / "model.bin").write_bytes(b"\x00\x01")
    assert read_text(str(tmp_path / "run"), str(folder), "model.bin")["text"] is None
    (folder / "latin").write_bytes(b"caf\xe9")
    assert read_text(str(tmp_path / "run"), str(folder), "latin")["text"] == "caf�"


def test_a_folder_that_is_not_there_has_no_files(tmp_path):
    assert listing(str(tmp_path / "nowhere")) == {"files": [], "more_files": False}


def test_thousands_of_files_are_cut_short(folder):
    for i in range(1001):
        (folder / f"{i:04}").touch()
    found = listing(str(folder))
    assert (len(found["files"]), found["more_files"]) == (1000, True)
