"""recover: what earlier sessions left of their checkpoints, and where trials go on whose own is gone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping

from microtune import events as ev
from microtune import remote
from microtune.faults import RunError
from microtune.kernel import Kernel, say


def recover(k: Kernel, known: Mapping[str, list[str]]) -> None:
    """Remove checkpoints that are not `known`, by trial, to the journal; fall back where one that it knows is gone."""
    there = _sweep_folders(k, known) | _sweep_url(k, known)
    for life in list(k.state.lives.values()):
        lost = life.trial.checkpoint
        if lost is None or lost in there or not _can_tell(k, lost):
            continue
        left = [kept for kept in known.get(life.trial.id, ()) if kept in there]
        instead = left[-1] if left else None
        start = instead or "the beginning"
        say.warning("trial %s: its checkpoint %s is gone; it goes on from %s", life.trial.id, lost, start)
        k.record(ev.DELETED, life.trial.id, {"path": lost, "instead": instead})


def _can_tell(k: Kernel, checkpoint: str) -> bool:
    """Whether it is gone: of one on somebody else's URL, or a simulated one, nothing is known here."""
    if remote.is_url(checkpoint):
        return k.facts.remote is not None and checkpoint.startswith(f"{k.facts.remote}/")
    return os.path.isabs(checkpoint) and not os.path.isdir(checkpoint)


def _sweep_folders(k: Kernel, known: Mapping[str, list[str]]) -> set[str]:
    """The checkpoints in the run's folder that stay."""
    root = os.path.join(k.facts.path, "trials")
    _refuse_links(root)
    there = set()
    for trial_id, name in _folders(root):
        path = os.path.join(root, trial_id, "checkpoints", name)
        if path in known.get(trial_id, ()):
            there.add(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    return there


def _sweep_url(k: Kernel, known: Mapping[str, list[str]]) -> set[str]:
    """Those on the run's URL."""
    if k.facts.remote is None:
        return set()
    there = remote.checkpoints(k.facts.remote)
    wanted = {path for paths in known.values() for path in paths}
    for stray in there - wanted:
        remote.remove(stray)
    return there & wanted


def _refuse_links(root: str) -> None:
    """A link to elsewhere in the place of one of these folders: trials would write there, and checkpoints be deleted there."""
    inside = os.path.realpath(os.path.dirname(root))
    for path in (root, *(os.path.join(root, trial_id, *more) for trial_id in _listed(root) for more in ((), ("checkpoints",)))):
        if not os.path.realpath(path).startswith(os.path.join(inside, "")):
            raise RunError(
                f"{path!r} leads out of the run, to {os.path.realpath(path)!r}, where trials would write and delete: put a "
                "folder in its place. To keep a run on another disk, move its whole folder there"
            )


def _listed(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _folders(root: str) -> Iterator[tuple[str, str]]:
    for trial_id in _listed(root):
        for name in _listed(os.path.join(root, trial_id, "checkpoints")):
            yield trial_id, name
