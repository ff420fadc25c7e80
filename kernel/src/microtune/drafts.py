"""The checkpoints of one attempt: the one that it restores from, and those that it writes.

They are folders of the trial on this machine. Where the run keeps its checkpoints on a URL, they are copies for as long as
the attempt needs them.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from microtune import remote

if TYPE_CHECKING:
    from microtune.attempt import Assignment


class CheckpointDir(type(Path())):  # type: ignore[misc]
    """A folder that becomes a checkpoint when it is reported. On an exception inside its `with` it is removed."""

    def __enter__(self) -> CheckpointDir:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self, ignore_errors=True)


class Drafts:
    def __init__(self, assignment: Assignment, url: str | None) -> None:
        """`url`: of the run's checkpoints, if they have one."""
        self._assignment = assignment
        self._url = url
        self._drafts: list[Path] = []
        self._copies: list[Path] = []  # what is here for this attempt only
        self._restored: Path | None = None
        self._fetching = threading.Lock()
        self._elsewhere: Path | None = None

    def restored(self) -> Path | None:
        """The folder to restore from; what is on a URL is fetched when it is first asked for."""
        checkpoint = self._assignment.checkpoint
        if checkpoint is None:
            return None
        if not remote.is_url(checkpoint):
            return Path(checkpoint)
        with self._fetching:
            if self._restored is None:
                copy = self._root() / ".restored" / remote.name_of(checkpoint)
                shutil.rmtree(copy.parent, ignore_errors=True)
                self._copies.append(copy.parent)
                remote.download(checkpoint, str(copy))
                self._restored = copy
            return self._restored

    def new(self, iteration: int) -> CheckpointDir:
        draft = CheckpointDir(self._root() / f".draft-{self._assignment.attempt}-{iteration}-{len(self._drafts)}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._drafts.append(Path(draft))
        return draft

    def commit(self, source: str | os.PathLike[str], iteration: int) -> str:
        """Make the folder the checkpoint of this iteration, to be seen whole or not at all, and return its path or URL."""
        folder = Path(source)
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "is not there; one from checkpoint_dir() can be reported once"
            raise FileNotFoundError(f"the checkpoint {str(folder)!r} {what}: write into checkpoint_dir() or a folder of yours")
        name = f"{iteration}-{self._assignment.attempt}"
        if self._url is not None:
            return self._upload(folder, f"{self._url}/trials/{self._assignment.trial_id}/checkpoints/{name}")
        if folder not in self._drafts:  # the user's own folder, which stays the user's
            draft = self.new(iteration)
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            folder = Path(draft)
        target = folder.with_name(name)
        if target.exists():  # left by a driver that died before it heard of it
            shutil.rmtree(target)
        os.rename(folder, target)
        self._drafts.remove(folder)
        return str(target)

    def _upload(self, folder: Path, url: str) -> str:
        remote.upload(str(folder), url)
        if folder in self._drafts:
            shutil.rmtree(folder, ignore_errors=True)
            self._drafts.remove(folder)
        return url

    def clear(self) -> None:
        """The attempt is over: nobody needs what it has not reported, nor its copies."""
        for folder in (*self._drafts, *self._copies):
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self) -> Path:
        """The trial's own. Where that cannot be made, on a machine that is not the driver's, a temporary one will do."""
        if self._elsewhere is None:
            folder = Path(self._assignment.folder)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                return folder
            except OSError:
                if self._url is None:
                    raise
            import tempfile

            self._elsewhere = Path(tempfile.mkdtemp(prefix="microtune-"))
            self._copies.append(self._elsewhere)
        return self._elsewhere

    def _root(self) -> Path:
        if self._url is None:
            root = Path(self._assignment.folder, "checkpoints")
        else:
            root = self.folder() / "checkpoints"
        root.mkdir(parents=True, exist_ok=True)
        return root
