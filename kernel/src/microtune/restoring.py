"""What Tuner.restore finds in the journal of a run, and which changes to that it refuses."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from microtune import arguments
from microtune import events as ev
from microtune.faults import OptionError, RunError
from microtune.reader import Reader
from microtune.space import Space
from microtune.warm_start import Source

_FIXED = ("name", "storage_path", "seed")


class Found(NamedTuple):
    path: str
    id: str
    settings: dict[str, Any]  # the arguments of Tuner
    warm: list[Source]
    remote: str | None  # the URL of its checkpoints


def find(path: str | os.PathLike[str]) -> Found:
    path = os.path.abspath(path)
    settings: dict[str, Any] = {}
    identity = ""
    with closing(Reader(path)) as reader:
        for event in reader.events(kinds=(ev.OPENED, ev.CHANGED)):
            settings.update(event.body["settings"])
            identity = event.body.get("id", identity)
    if not settings:
        raise RunError(f"the run in {path!r} was ended before it began: start it anew with Tuner(...)")
    if "imported_from" in settings:
        raise RunError(
            f"the run in {path!r} was imported from {settings['imported_from']}, and what it trained was not, so it cannot be "
            f"gone on with here: start a run of its own that learns from it, Tuner(..., warm_start=[{path!r}]) or --warm-start"
        )
    settings.pop("plugins", None)
    return Found(path, identity, settings, settings.pop("warm_started", []), settings.pop("remote", None))


def changed(found: Found, trainable: Any, changes: Mapping[str, Any], known: Container[str]) -> dict[str, Any]:
    """The arguments of Tuner with the changes. OptionError where they are none, or where the journal cannot hold one."""
    for fixed in _FIXED:
        if fixed in changes:
            raise OptionError(f"{fixed}= belongs to the run and cannot be changed by restore()")
    if unknown := [name for name in changes if name not in known]:
        raise OptionError(f"restore() takes the arguments of Tuner, not {', '.join(sorted(unknown))}")
    given = {**found.settings, **changes}
    if trainable is not None:
        arguments.check_same(trainable, found.settings["trainable"], found.path)
        given["trainable"] = trainable
    lost = {key: f"it was {arguments.told(value)}" for key, value in given.items() if arguments.is_lost(value)}
    if "param_space" not in changes:
        given["param_space"] = Space.from_json(found.settings["param_space"])
        if given["param_space"].opaque:
            lost["param_space"] = "it holds functions: sample_from or constraints"
    if lost:
        what = ", ".join(f"{key}= ({why})" for key, why in lost.items())
        raise OptionError(f"the journal of {found.path!r} cannot hold Python objects: pass again to restore() {what}")
    given["storage_path"], given["name"] = os.path.split(found.path)
    return given


def refuse_fewer(found: Found, num_samples: int | None, limit: int | None) -> None:
    """OptionError where the run is to have fewer trials than it has; `limit` is what num_samples comes to.

    A scheduler may have made some beyond the number before, so more than that is never refused.
    """
    before = found.settings["num_samples"]
    if num_samples is None or limit is None or (before is not None and num_samples >= before):
        return
    with closing(Reader(found.path)) as reader:
        made = [event.body for event in reader.events(kinds=(ev.CREATED,))]
    there = sum(not (body.get("infeasible") or "retries" in body) for body in made)
    if limit < there:
        raise OptionError(
            f"num_samples={num_samples} is the number of all trials, and the run in {found.path!r} has {there} already: "
            "give at least as many, or leave it out"
        )
