"""The Ray cluster: found, joined or started, looked at, and left as it was found."""

from __future__ import annotations

import signal
import threading
from typing import Any

import ray

from microtune import OptionError
from microtune_execute_ray.needs import OURS, Amounts, Need, spelled

MOST = 10_000  # trials at a time, where they need next to nothing
EPSILON = 1e-6  # Ray counts in ten thousandths


class Cluster:
    """What there is, and how many trials fit into it. Others may use it too: then trials wait in Ray's own queue."""

    def __init__(self, strategy: str) -> None:
        self._strategy = strategy
        self._ours = False
        self.nodes: list[Amounts] = []
        self.total: Amounts = {}
        self._fits: dict[Need, int] = {}

    def join(self, address: str | None, init: dict[str, Any]) -> None:
        """The caller's Ray if there is one, else the one at this address, else whatever `ray.init()` finds or starts."""
        if ray.is_initialized():
            if address is not None or init:
                raise OptionError(
                    "executor 'ray': address and init are for ray.init, which this program has called already: leave them out"
                )
            if ray.util.client.ray.is_connected():
                _refuse_client()
        else:
            if address is not None and address.startswith("ray://"):
                _refuse_client()
            _init({"logging_level": "WARNING", **({} if address is None else {"address": address}), **init})
            self._ours = True
        self.look()

    def leave(self) -> None:
        if self._ours:
            self._ours = False
            ray.shutdown()

    def look(self) -> None:
        """See which nodes there are now."""
        nodes = [_amounts(node["Resources"]) for node in ray.nodes() if node["Alive"]]
        if nodes == self.nodes:
            return
        self.nodes = nodes
        self.total = {}
        for node in nodes:
            for name, amount in node.items():
                self.total[name] = self.total.get(name, 0.0) + amount
        self._fits.clear()

    def fits(self, need: Need) -> int:
        """How many trials that need this could run at a time, if nothing else did."""
        if need not in self._fits:
            self._fits[need] = min(self._count(need), MOST)
        return self._fits[need]

    def refusal(self, need: Need) -> str | None:
        """Why no trial that needs this can ever run."""
        uneven = next((b for b in map(dict, need.bundles) if b.get("gpu", 0) > 1 and b["gpu"] % 1), None)
        if uneven is not None:
            return f"a trial needs gpu: {uneven['gpu']:g}, and Ray shares out fractions below one and whole numbers above"
        if self.fits(need):
            return None
        nodes = "; ".join(spelled(node) for node in self.nodes)
        return f"a trial needs {need}{self._together(need)}, and the nodes of the Ray cluster have {nodes}"

    def _together(self, need: Need) -> str:
        return f" ({self._strategy})" if len(need.bundles) > 1 else ""

    def _count(self, need: Need) -> int:
        if len(need.bundles) == 1 or self._strategy == "STRICT_PACK":
            return sum(times(node, need.total) for node in self.nodes)
        bundles = sorted(map(dict, need.bundles), key=lambda bundle: -sum(bundle.values()))  # what is large is hard to place
        free = list(self.nodes)
        count = 0
        while count < MOST and _place(bundles, free, self._strategy == "STRICT_SPREAD", frozenset()):
            count += 1
        return count


def times(node: Amounts, need: Amounts) -> int:
    """How often a node has what is needed."""
    return min((int(node.get(name, 0.0) / amount + EPSILON) for name, amount in need.items()), default=MOST)


def _place(bundles: list[Amounts], free: list[Amounts], apart: bool, used: frozenset[int]) -> bool:
    """Take these bundles out of what is free, if there is any way to."""
    if not bundles:
        return True
    bundle, *rest = bundles
    tried: list[Amounts] = []  # of nodes with the same left one is enough
    for at, node in enumerate(free):
        if (apart and at in used) or node in tried or not times(node, bundle):
            continue
        tried.append(node)
        free[at] = {name: amount - bundle.get(name, 0.0) for name, amount in node.items()}
        if _place(rest, free, apart, used | {at}):
            return True
        free[at] = node
    return False


def _amounts(resources: dict[str, float]) -> Amounts:
    return {OURS.get(name, name): amount for name, amount in sorted(resources.items()) if not name.startswith("node:")}


def _init(arguments: dict[str, Any]) -> None:
    """`ray.init`, which also sets a handler for SIGTERM that would end a run in the middle of a turn."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**arguments)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f" at {arguments['address']!r}" if "address" in arguments else ""
        raise OptionError(f"executor 'ray': no Ray cluster{where} could be joined or started: {error}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)


def _refuse_client() -> None:
    raise OptionError(
        "executor 'ray': a ray:// address connects through Ray Client, through which workers cannot reach this program: run it "
        "on a node of the cluster, with address='auto', as `ray job submit` does"
    )
