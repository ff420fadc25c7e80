"""requested: somebody outside wants a trial stopped (`microtune stop RUN TRIAL`, the dashboard): at its next result it is."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from microtune.answers import Stop
from microtune.kernel import Kernel

FOLDER = "requests"  # in the folder of the run: an empty file for each trial that is to stop, with its id as the name
EVERY = 1.0  # seconds
STOP: Any = Stop("stopped on request")
WHO: str | None = "request"  # in the place of a plugin's name


def look(k: Kernel) -> None:
    """What is asked for now. Of trials that are over, the requests are removed."""
    k.requests_due = k.now + EVERY
    folder = os.path.join(k.facts.path, FOLDER)
    with contextlib.suppress(OSError):  # nobody has asked for anything, most of the time
        names = set(os.listdir(folder))
        if os.path.islink(folder):  # what lies elsewhere is nobody's request, and not to be removed
            return
        k.to_stop = names
        for trial_id in k.to_stop - k.state.lives.keys():
            os.unlink(os.path.join(folder, trial_id))
