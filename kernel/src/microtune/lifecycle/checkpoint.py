"""checkpoint: which ones may go, and their deletion, once that is committed."""

from __future__ import annotations

import os
import shutil

from microtune import events as ev
from microtune.answers import Discard
from microtune.kernel import Kernel
from microtune.remote import is_url
from microtune.replay import Life


def retain(k: Kernel) -> None:
    """Ask about each new checkpoint; strike out what is still needed; journal the rest as deleted."""
    fresh, k.fresh_checkpoints = k.fresh_checkpoints, []
    gone: set[str] = set()
    for trial, path, life in fresh:
        unwanted, _ = k.ask("checkpoint", trial=trial, checkpoint=path)
        if unwanted is None:
            unwanted = surplus(life, k.facts.checkpoints.get("keep"))
        for old in unwanted:
            # A trial's latest is how it would go on, and what its result offers; a donor's is held by who restores from it.
            if old in (path, life.latest) or old in k.state.restore_points or old in gone:
                continue
            if not _is_ours(k, old):
                continue
            k.record(ev.DELETED, trial.id, {"path": old})
            k.doomed.append((trial, old))
            gone.add(old)


def _is_ours(k: Kernel, path: str) -> bool:
    """What lies outside the run is somebody else's, whatever a policy or a forged journal says of it."""
    if is_url(path):
        return k.facts.remote is not None and path.startswith(f"{k.facts.remote}/trials/") and ".." not in path.split("/")
    if os.path.isabs(path):
        return os.path.realpath(path).startswith(os.path.join(os.path.realpath(k.facts.path), "trials", ""))
    return True  # the name of a simulated one


def surplus(life: Life, keep: int | None) -> list[str]:
    """All but the last `keep`, or the `keep` best where a metric was named. Scores are equal where none was."""
    if keep is None:
        return []
    # Stable, so that among equals the later one is kept.
    ranked = sorted(life.checkpoints, key=lambda kept: kept[1])
    return [path for path, _ in ranked[: max(0, len(ranked) - keep)]]


def delete(k: Kernel) -> None:
    doomed, k.doomed = k.doomed, []
    for trial, path in doomed:
        if os.path.isabs(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            k.tell("steer", trial=trial, decision=Discard(path))
