"""Checkpoints on URLs: in memory, and in folders that are spoken of as URLs."""

from __future__ import annotations

import os

import fsspec
import pytest

import microtune as mt
from microtune import remote


@pytest.fixture(params=["memory", "file"])
def url(request, store, tmp_path):
    return store if request.param == "memory" else f"file://{tmp_path}/store"


def filled(folder):
    """All kinds of names and contents."""
    files = {
        "weights": b"\0\1\2" * 1000, "deep/er/state": b"x", "empty file": b"", "größe [1]*?#.txt": b"odd", ".hidden": b"h",
    }  # fmt: skip
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "empty folder").mkdir()
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


# --- there and back --------------------------------------------------------------------------------------------------


def test_a_folder_comes_back_as_it_was(url, tmp_path):
    source = filled(tmp_path / "source")
    remote.upload(str(source), f"{url}/5-1")
    remote.download(f"{url}/5-1", str(tmp_path / "copy"))
    assert contents(tmp_path / "copy") == contents(source)
    assert len(contents(source)) == 8


def test_an_empty_folder_comes_back_too(url, tmp_path):
    (tmp_path / "source").mkdir()
    remote.upload(str(tmp_path / "source"), f"{url}/5-1")
    remote.download(f"{url}/5-1", str(tmp_path / "copy"))
    assert list((tmp_path / "copy").iterdir()) == []


def test_links_are_followed_as_a_copy_would(url, tmp_path):
    elsewhere = filled(tmp_path / "elsewhere")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "linked").symlink_to(elsewhere)
    remote.upload(str(tmp_path / "source"), f"{url}/5-1")
    remote.download(f"{url}/5-1", str(tmp_path / "copy"))
    assert contents(tmp_path / "copy" / "linked") == contents(elsewhere)


def test_what_was_there_before_is_replaced_as_a_whole(url, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
        remote.upload(str(tmp_path / name), f"{url}/5-1")
    remote.download(f"{url}/5-1", str(tmp_path / "copy"))
    assert list(contents(tmp_path / "copy")) == ["new"]


def test_only_what_was_named_is_removed(url, tmp_path):
    for name in ("5-1", "5-10", "5-2"):
        remote.upload(str(filled(tmp_path / name)), f"{url}/run/trials/00000/checkpoints/{name}")
    remote.remove(f"{url}/run/trials/00000/checkpoints/5-1")
    assert {remote.name_of(each) for each in remote.checkpoints(f"{url}/run")} == {"5-10", "5-2"}


def test_nothing_can_be_removed_and_listed(url):
    remote.remove(f"{url}/5-1")
    assert remote.checkpoints(f"{url}/run") == set()


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_is_not_there_is_named(url, tmp_path):
    with pytest.raises(mt.RunError, match="5-1 is not there: somebody has removed it"):
        remote.download(f"{url}/5-1", str(tmp_path / "copy"))


def test_a_checkpoint_whose_files_lead_elsewhere_is_refused(store, tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(memory, "find", lambda path: [f"{path}/../../../evil"])
    with pytest.raises(mt.RunError, match="would be written elsewhere"):
        remote.download(f"{store}/5-1", str(tmp_path / "copy"))


def test_what_cannot_be_written_names_the_url_and_the_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(mt.RunError, match=r"file:///.*/file/5-1 cannot be written: NotADirectoryError"):
        remote.upload(str(filled(tmp_path / "source")), f"file://{tmp_path}/file/5-1")


@pytest.mark.parametrize(
    ("missing", "url", "message"),
    [
        ("fsspec", "memory://bucket", "pip install 'microtune-kernel[remote]', on every machine"),
        ("s3fs", "s3://bucket", "s3://bucket/run cannot be reached: Install s3fs to access S3: pip install s3fs, on every"),
        ("gcsfs", "gs://bucket", "pip install gcsfs, on every machine"),
        ("nothing", "nosuch://bucket", "fsspec knows no protocol 'nosuch'; it knows s3://, gs://"),
    ],
)
def test_a_missing_library_and_an_unknown_protocol_are_one_clear_error(missing, url, message, python, tmp_path):
    done = python(f"""
        import os, sys
        os.environ["MICROTUNE_STORAGE"] = {str(tmp_path)!r}
        sys.modules[{missing!r}] = None
        import microtune as mt
        from microtune.testing import FakeExecutor, FakeSearcher
        tuner = mt.Tuner(
            lambda config: 1.0, param_space={{"x": mt.uniform(0, 1)}}, metric="loss", mode="min", name="run",
            searcher=FakeSearcher(), executor=FakeExecutor(), loggers=(), storage_path={url!r},
        )
        try:
            tuner.fit()
        except mt.RunError as error:
            print(error)
    """)
    assert message in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


# --- whose URL it is -------------------------------------------------------------------------------------------------


def test_a_url_that_cannot_be_written_to_is_refused_before_any_trial(tuner, tmp_path, monkeypatch):
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    (tmp_path / "file").touch()
    with pytest.raises(mt.RunError, match="run cannot hold the checkpoints of this run"):
        tuner(storage_path=f"file://{tmp_path}/file").fit()
    assert os.listdir(tmp_path / "runs") == []


def test_a_url_with_the_checkpoints_of_another_run_is_refused(store, tmp_path):
    remote.claim(f"{store}/run", "first", "/runs/first", resume=False)
    remote.claim(f"{store}/run", "second", "/runs/second", resume=False)  # the first one has written nothing there
    (tmp_path / "empty").mkdir()
    remote.upload(str(tmp_path / "empty"), f"{store}/run/trials/00000/checkpoints/1-1")
    with pytest.raises(mt.RunError, match="holds the checkpoints of another run: give this one another name="):
        remote.claim(f"{store}/run", "third", "/runs/third", resume=False)
    remote.claim(f"{store}/run", "second", "/elsewhere/second", resume=True)
    with pytest.raises(mt.RunError, match="another run's by now, that in '/elsewhere/second'"):
        remote.claim(f"{store}/run", "first", "/runs/first", resume=True)


# --- as_directory ----------------------------------------------------------------------------------------------------


def test_a_folder_is_its_own_directory(tmp_path):
    with mt.as_directory(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.is_dir()


def test_a_url_is_a_directory_for_as_long_as_it_is_needed(url, tmp_path):
    remote.upload(str(filled(tmp_path / "source")), f"{url}/5-1")
    with mt.as_directory(f"{url}/5-1") as folder:
        assert folder.name == "5-1"
        assert contents(folder) == contents(tmp_path / "source")
    assert not folder.exists()


def test_no_checkpoint_is_no_directory(tmp_path):
    with pytest.raises(mt.OptionError, match="there is no checkpoint to look into"), mt.as_directory(None):
        pass
    with pytest.raises(mt.RunError, match="is not there"), mt.as_directory(tmp_path / "gone"):
        pass


# --- nobody else pays ------------------------------------------------------------------------------------------------


def test_a_run_in_a_folder_never_imports_fsspec(python, tmp_path):
    done = python(f"""
        import sys
        import microtune as mt
        from microtune.testing import FakeExecutor, FakeSearcher
        def train(config):
            mt.report(loss=1.0, checkpoint=mt.checkpoint_dir())
        mt.Tuner(
            train, param_space={{"x": mt.uniform(0, 1)}}, metric="loss", mode="min", storage_path={str(tmp_path)!r},
            searcher=FakeSearcher(), executor=FakeExecutor(), loggers=(), checkpoints={{"keep": 1}},
        ).fit()
        print("fsspec" in sys.modules)
    """)
    assert done.stdout == "False\n", done.stderr
