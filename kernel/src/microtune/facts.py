"""What every hook may know about the run: the parameter `run` of the hooks. No trials: plugins know them by the tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from microtune import seeds

if TYPE_CHECKING:
    import random

    from microtune.objective import Objective
    from microtune.space import Space


class Limits(NamedTuple):
    """Seconds, and a number of trials; None: no limit.

    `time`: the run, over all its sessions (kept by the kernel). `trial`: one attempt of a trial; `report`: the silence
    between two of its reports; `grace`: how long a trial may take to leave (kept by the executor, which kills then).
    `trials`: how many trials the searcher may create, num_samples times the size of the grid.
    """

    time: float | None = None
    trial: float | None = None
    report: float | None = None
    grace: float = 10.0
    trials: int | None = 1


@dataclass(slots=True)
class Facts:
    """Read-only for plugins. `capacity` and `now` follow the executor's last batch; the rest holds for the session."""

    id: str
    name: str
    path: str  # the folder of the run
    seed: int
    space: Space
    objective: Objective
    num_samples: int | None
    limits: Limits
    resources: dict[str, float]  # what a trial needs that names none itself
    trainable: Any  # a function of config, or a Trainable class
    checkpoints: dict[str, Any] = field(default_factory=dict)  # keep, metric, mode, every, at_end
    max_concurrent_trials: int | None = None
    resources_of: Callable[[dict[str, Any]], Any] | None = None  # the same by a trial's config; asked by the kernel, journalled
    capacity: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    resumed: bool = False
    elapsed: float = 0.0  # seconds of the sessions before this one
    exhausted: str | None = None  # in `suggest`: why the searcher, who was asked already, starts nothing now
    remote: str | None = None  # the URL that checkpoints go to, in place of that folder
    wakeup_fd: int | None = None  # readable once a signal arrived: an executor's `wait` returns then

    def rng(self, *key: str | int) -> random.Random:
        """A fresh generator from (run seed, key). The key may hold only what the tells rebuild."""
        return seeds.rng(self.seed, *key)
