"""Search spaces for the contract of searchers: every kind of domain, and what is awkward about them."""

from __future__ import annotations

from typing import Any

import microtune as mt


def _double(config: dict[str, Any]) -> float:
    return 2 * float(config["x"])


SPACES: dict[str, dict[str, Any]] = {
    "uniform": {"x": mt.uniform(-1.0, 2.0)},
    "quniform": {"x": mt.quniform(0.0, 1.0, 0.1)},
    "loguniform": {"x": mt.loguniform(1e-5, 1e-1)},
    "qloguniform": {"x": mt.qloguniform(0.01, 1.0, 0.01)},
    "randn": {"x": mt.randn(10.0, 2.0)},
    "qrandn": {"x": mt.qrandn(0.0, 2.0, 0.5)},
    "randint": {"x": mt.randint(-5, 5)},
    "qrandint": {"x": mt.qrandint(8, 64, 8)},
    "lograndint": {"x": mt.lograndint(1, 1000)},
    "qlograndint": {"x": mt.qlograndint(10, 1000, 10)},
    "a tiny range": {"x": mt.uniform(1e-12, 1.1e-12)},
    "large integers": {"x": mt.randint(2**53, 2**60)},
    "choice": {"x": mt.choice(["a", "b", "c"])},
    "choice of numbers": {"x": mt.choice([16, 32, 64, 128])},
    "choice of many types": {"x": mt.choice([None, True, 1, 2.5, "1", [1, 2], {"a": 1}])},
    "weighted choice": {"x": mt.choice(["often", "seldom", "never"], weights=[9, 1, 0])},
    "sample_from": {"x": mt.uniform(0, 1), "double": mt.sample_from(_double)},
    "constants": {"x": mt.uniform(0, 1), "epochs": 3, "layers": [1, 2], "name": None},
    "nested dicts and lists": {
        "optimizer": {"lr": mt.loguniform(1e-4, 1.0), "betas": [mt.uniform(0, 1), mt.uniform(0, 1)]},
        "layers": [{"width": mt.randint(1, 9)}, {"width": mt.randint(1, 9)}],
    },
    "conditional": {
        "optimizer": mt.choice(
            [{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam", "beta": mt.uniform(0.5, 1)}, "none"]
        )
    },
    "conditional in conditional": {
        "model": mt.choice(
            [
                {"kind": "tree", "depth": mt.randint(1, 9)},
                {"kind": "net", "head": mt.choice([{"width": mt.randint(1, 9)}, "linear"])},
            ]
        )
    },
    "odd names": {
        "with space": mt.uniform(0, 1),
        "a/b": mt.uniform(0, 1),
        "a": {"b": mt.uniform(0, 1), "~1": mt.randint(0, 9)},
        "": mt.uniform(0, 1),
        "self": mt.uniform(0, 1),
        "größe": mt.uniform(0, 1),
    },
}

# What the other tests of a searcher tune.
MIXED: dict[str, Any] = {
    "lr": mt.loguniform(1e-4, 1.0),
    "width": mt.randint(1, 50),
    "kind": mt.choice(["a", "b", "c"]),
    "optimizer": mt.choice([{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam"}]),
}
