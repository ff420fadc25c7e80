"""Workers are Ray actors: asked for, and sent away for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from microtune_execute_ray.door import Door
from microtune_execute_ray.handle import Handle
from microtune_execute_ray.needs import RAYS, actor_options
from microtune_execute_ray.worker import TrialWorker


class Agency:
    """Asks Ray for actors, in placement groups if there is a strategy for them.

    Whoever ends, for whatever reason, is reported by `ended`, from a thread of Ray's.
    """

    def __init__(
        self, strategy: str | None, runtime_env: dict[str, Any] | None, terms: tuple[Any, ...],
        trainable: list[ray.ObjectRef[Any]],
    ) -> None:  # fmt: skip
        self._strategy = strategy
        self._more = {} if runtime_env is None else {"runtime_env": runtime_env}
        self._actor: Any = ray.remote(max_restarts=0, max_task_retries=0)(TrialWorker)
        self._terms = terms
        self._trainable = trainable

    def hire(self, handle: Handle, door: Door, ended: Callable[[Handle, BaseException | None], None]) -> None:
        """It calls at the door once Ray has found a place for it, which takes as long as it takes."""
        options = {**actor_options(handle.need.own), **self._more}
        if len(handle.need.bundles) > 1 and self._strategy is not None:
            # Ray wants no empty bundle, as is that of a trial which only waits for what it starts.
            bundles = [{RAYS.get(name, name): amount for name, amount in bundle} for bundle in handle.need.bundles if bundle]
            handle.group = placement_group(bundles, strategy=self._strategy)
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
                handle.group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
            )
        handle.actor = self._actor.options(**options).remote()
        end = handle.actor.work.remote(door.address, door.hello(handle.number), self._terms, self._trainable)
        end.future().add_done_callback(lambda future: ended(handle, future.exception()))

    def kill(self, handle: Handle) -> None:
        """With its child processes; whatever it does."""
        ray.kill(handle.actor)

    def release(self, handle: Handle) -> None:
        """What is kept for it once it has ended."""
        handle.actor = None
        if handle.group is not None:
            remove_placement_group(handle.group)
            handle.group = None
