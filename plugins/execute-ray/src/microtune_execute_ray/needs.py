"""What a trial needs of the cluster: bundles, in microtune's words and in Ray's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from microtune import OptionError

Amounts = dict[str, float]
RAYS = {"cpu": "CPU", "gpu": "GPU"}  # Ray's names, where they differ
OURS = {theirs: ours for ours, theirs in RAYS.items()}
STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


class Need(NamedTuple):
    """The trial runs in the first bundle; what it starts on Ray itself goes into any of them. Compares by value."""

    bundles: tuple[tuple[tuple[str, float], ...], ...]

    @classmethod
    def of(cls, resources: Mapping[str, float] | Sequence[Mapping[str, float]]) -> Need:
        """One CPU for the trial unless it says otherwise, and the other bundles as they are."""
        bundles = [resources] if isinstance(resources, Mapping) else list(resources)
        if not bundles or not all(isinstance(bundle, Mapping) and _are_amounts(bundle) for bundle in bundles):
            raise OptionError(
                f"executor 'ray': a trial cannot need {resources!r}: write a dict such as {{'cpu': 1, 'gpu': 0.5}}, or a list "
                "of them, the trial's own first"
            )
        first, *rest = bundles
        return cls(tuple(_bundle(bundle) for bundle in ({"cpu": 1.0, **first}, *rest)))

    @property
    def own(self) -> Amounts:
        return dict(self.bundles[0])

    @property
    def total(self) -> Amounts:
        total: Amounts = {}
        for bundle in self.bundles:
            for name, amount in bundle:
                total[name] = total.get(name, 0.0) + amount
        return total

    def __str__(self) -> str:
        return " + ".join(spelled(dict(bundle)) for bundle in self.bundles)


def actor_options(own: Amounts) -> dict[str, Any]:
    """As `ActorClass.options` wants it."""
    rest = dict(own)
    named = {"num_cpus": rest.pop("cpu", 0), "num_gpus": rest.pop("gpu", 0)}
    if "memory" in rest:
        named["memory"] = rest.pop("memory")
    return {**named, "resources": rest}


def spelled(amounts: Mapping[str, float]) -> str:
    return ", ".join(f"{name}: {amount:g}" for name, amount in amounts.items()) or "nothing"


def _bundle(amounts: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((name, float(amount)) for name, amount in amounts.items() if amount))


def _are_amounts(amounts: Mapping[Any, Any]) -> bool:
    return all(isinstance(a, (int, float)) and not isinstance(a, bool) and 0 <= a < float("inf") for a in amounts.values())
