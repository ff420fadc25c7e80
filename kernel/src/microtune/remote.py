"""Checkpoints on a URL: in an object store (s3://, gs://, ...) or wherever else fsspec reaches.

A store has no folders, and shows the files of one as they come. So a checkpoint is there once the report that names it is
committed, and whatever else lies under the run's URL is removed when the run is resumed. fsspec, and the library of the
protocol, are imported where a URL is used and not before; they find credentials and options in the environment and in their
own configuration.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from microtune.faults import OptionError, RunError, describe

_OWNER = "run.json"  # beside the run's checkpoints: whose they are
_EMPTY = ".microtune-empty"  # in place of an empty folder, which a store cannot hold


def is_url(path: Any) -> bool:
    return isinstance(path, str) and "://" in path


def claim(url: str, run_id: str, path: str, *, resume: bool) -> None:
    """Write down whose URL this is: what cannot be written to, or holds another run's checkpoints, is refused here."""
    import json

    with _saying(url, "cannot hold the checkpoints of this run"):
        fs, root = _filesystem(url)
        fs.invalidate_cache()
        owner = f"{root}/{_OWNER}"
        if resume and fs.exists(owner):
            other = json.loads(fs.cat_file(owner))
            if other["id"] != run_id:
                raise RunError(f"{url} is another run's by now, that in {other['path']!r}: two runs cannot share a URL")
        if not resume and fs.exists(f"{root}/trials"):
            raise RunError(f"{url} holds the checkpoints of another run: give this one another name=, or remove them")
        _make_room(fs, root)
        fs.pipe_file(owner, json.dumps({"id": run_id, "path": path}).encode())


def upload(folder: str, url: str) -> None:
    """Write the folder to the URL, in place of whatever is there. RunError where that fails."""
    with _saying(url, "cannot be written"):
        fs, root = _filesystem(url)
        _remove(fs, root)  # left by a driver that died
        files: dict[str, str] = {}
        for here, folders, names in os.walk(folder, onerror=_fail, followlinks=True):
            there = root if here == folder else f"{root}/{Path(here).relative_to(folder).as_posix()}"
            _make_room(fs, there)
            files.update((os.path.join(here, name), f"{there}/{name}") for name in names)
            if not folders and not names:
                fs.pipe_file(f"{there}/{_EMPTY}", b"")
        if files:
            fs.put(list(files), list(files.values()))


def download(url: str, folder: str) -> None:
    """Make the folder, with what `upload` wrote to the URL. RunError where that fails or nothing is there."""
    with _saying(url, "cannot be read"):
        fs, root = _filesystem(url)
        fs.invalidate_cache()  # other processes write there
        paths = [path for path in fs.find(root) if path.startswith(f"{root}/")]
        if not paths:
            raise RunError(f"the checkpoint {url} is not there: somebody has removed it")
        files = {path: os.path.join(folder, *path[len(root) + 1 :].split("/")) for path in paths}
        if any(".." in path.split("/") for path in files):
            raise RunError(f"the checkpoint {url} has files that would be written elsewhere: it is not one of microtune's")
        for target in files.values():
            os.makedirs(os.path.dirname(target), exist_ok=True)
        files = {path: target for path, target in files.items() if os.path.basename(target) != _EMPTY}
        if files:
            fs.get(list(files), list(files.values()))


def remove(url: str) -> None:
    """Remove what is there, if anything is. RunError where that fails."""
    with _saying(url, "cannot be removed"):
        _remove(*_filesystem(url))


def checkpoints(url: str) -> set[str]:
    """The URLs of the checkpoints, whole or not, of the run that has this URL: one listing, however many trials it has."""
    with _saying(url, "cannot be listed"):
        fs, root = _filesystem(url)
        fs.invalidate_cache()
        inside = (path[len(root) + 1 :].split("/") for path in fs.find(f"{root}/trials"))
        return {"/".join([url, *parts[:4]]) for parts in inside if len(parts) > 4 and parts[2] == "checkpoints"}


@contextlib.contextmanager
def as_directory(checkpoint: str | os.PathLike[str] | None) -> Iterator[Path]:
    """A checkpoint as a local folder: itself if it is one, else a temporary copy of what is at its URL.

        with microtune.as_directory(results.get_best_result().checkpoint) as folder:
            model = torch.load(folder / "model.pt")

    Raises OptionError where there is no checkpoint, RunError where it cannot be read.
    """
    import tempfile

    if checkpoint is None:
        raise OptionError("there is no checkpoint to look into: this step has reported none, or it was deleted")
    path = os.fspath(checkpoint)
    if not is_url(path):
        if not os.path.isdir(path):
            raise RunError(f"the checkpoint {path!r} is not there: somebody has removed it, or it lies on another machine")
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="microtune-") as folder:
        copy = os.path.join(folder, name_of(path))
        download(path, copy)
        yield Path(copy)


def name_of(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


# --- fsspec ----------------------------------------------------------------------------------------------------------


def _filesystem(url: str) -> tuple[Any, str]:
    """What reaches the URL, and the path that it has there."""
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from fsspec.registry import known_implementations  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise RunError(f"{url} is reached through fsspec: pip install 'microtune-kernel[remote]', on every machine") from error
    protocol = url.partition("://")[0]
    try:
        fs, path = url_to_fs(url)
    except ImportError as error:
        known = known_implementations.get(protocol, {}).get("class", "fsspec").partition(".")[0]
        line = "" if known == "fsspec" else f": pip install {known}, on every machine"
        raise RunError(f"{url} cannot be reached: {error}{line}") from error
    except ValueError as error:
        some = ", ".join(f"{each}://" for each in ("s3", "gs", "abfs", "sftp", "file", "memory"))
        raise RunError(f"{url}: fsspec knows no protocol {protocol!r}; it knows {some} and others") from error
    return fs, path.rstrip("/")


def _make_room(fs: Any, path: str) -> None:
    if not fs.async_impl:  # the others are the object stores: without folders, where this would make a bucket
        fs.makedirs(path, exist_ok=True)


def _remove(fs: Any, path: str) -> None:
    fs.invalidate_cache()
    if fs.find(path, withdirs=True):  # `rm` asks twice as much of a store to find out that there is nothing
        fs.rm(path, recursive=True)


def _fail(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def _saying(url: str, what: str) -> Iterator[None]:
    """Whatever a library raises there as one kind of error, which names the URL."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{url} {what}: {describe(error)}") from error
