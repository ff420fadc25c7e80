"""What search_quality.py asks searchers to solve: functions of a flat config, and the space of each in neutral words.

The neutral words are for fairness: microtune and each library make their own definition of them, in quality_searchers.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Config = dict[str, Any]


class Range(NamedTuple):
    """Both bounds belong to it."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


class Options(NamedTuple):
    values: tuple[str, ...]


class Branches(NamedTuple):
    """A choice by name; each name has parameters of its own, which no other branch has."""

    spaces: dict[str, dict[str, Range | Options]]


@dataclass(frozen=True)
class Problem:
    """`optimum` is known, or estimated from `sample`, the best of so many random configs, and from every run there is."""

    name: str
    space: dict[str, Range | Options | Branches]
    value: Callable[[Config], float]
    mode: str = "min"
    optimum: float | None = None
    sample: Callable[[], float] | None = None


def problems(yahpo: Path) -> dict[str, Problem]:
    """Those of LCBench only where its surrogate and onnxruntime are there."""
    listed = [BRANIN, HARTMANN6, CONDITIONAL]
    if why_no_lcbench(yahpo) is None:
        listed += [lcbench(yahpo, task) for task in TASKS]
    return {problem.name: problem for problem in listed}


# --- two classics ----------------------------------------------------------------------------------------------------


def branin(config: Config) -> float:
    x, y = config["x"], config["y"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


# Dixon and Szegoe (1978), as everywhere: f(x) = -sum_i ALPHA_i exp(-sum_j A_ij (x_j - P_ij)^2)
ALPHA = (1.0, 1.2, 3.0, 3.2)
A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)  # fmt: skip


def hartmann6(config: Config) -> float:
    x = [config[f"x{j}"] for j in range(6)]
    exponents = [sum(a * (xj - p) ** 2 for a, p, xj in zip(A[i], P[i], x, strict=True)) for i in range(4)]
    return -sum(alpha * math.exp(-exponent) for alpha, exponent in zip(ALPHA, exponents, strict=True))


BRANIN = Problem("branin", {"x": Range(-5, 10), "y": Range(0, 15)}, branin, optimum=10 / (8 * math.pi))
HARTMANN6 = Problem("hartmann6", {f"x{j}": Range(0, 1) for j in range(6)}, hartmann6, optimum=-3.32236801141551)


# --- mixed and conditional -------------------------------------------------------------------------------------------

CRITERION = {"gini": 0.0, "entropy": 0.05, "log_loss": 0.1}
ACTIVATION = {"sigmoid": 0.6, "relu": 0.3, "tanh": 0.15, "gelu": 0.0}


def conditional(config: Config) -> float:
    """Three models. The best one, a net, is the worst on average, and has to be tuned to be seen to be the best.

    The least is 0, at dropout 0.4 and a net with lr 1e-3, 128 units and gelu. Of the trees it is 0.2, of the linear ones 0.5.
    """
    loss = 2 * (config["dropout"] - 0.4) ** 2
    if config["model"] == "linear":
        return loss + 0.5 + 0.05 * (math.log10(config["l2"]) + 2) ** 2
    if config["model"] == "tree":
        return loss + 0.2 + 0.01 * (config["depth"] - 7) ** 2 + CRITERION[config["criterion"]]
    width = math.log2(config["units"]) - 7
    return loss + 0.5 * (math.log10(config["lr"]) + 3) ** 2 + 0.25 * width**2 + ACTIVATION[config["activation"]]


MODELS: dict[str, dict[str, Range | Options]] = {
    "linear": {"l2": Range(1e-6, 1e2, log=True)},
    "tree": {"depth": Range(1, 16, integer=True), "criterion": Options(tuple(CRITERION))},
    "net": {
        "lr": Range(1e-5, 1.0, log=True),
        "units": Range(8, 1024, log=True, integer=True),
        "activation": Options(tuple(ACTIVATION)),
    },
}
CONDITIONAL = Problem("conditional", {"dropout": Range(0, 1), "model": Branches(MODELS)}, conditional, optimum=0.0)


# --- LCBench (Zimmer, Lindauer and Hutter 2021), the surrogate of YAHPO Gym (Pfisterer et al. 2022) ------------------

TASKS = ("3945", "7593", "34539", "126025", "167149")
EPOCHS = 52
INPUTS = ("epoch", "batch_size", "learning_rate", "momentum", "weight_decay", "num_layers", "max_units", "max_dropout")
VAL_ACCURACY = 1  # its place in the output
SAMPLE = 100_000


def why_no_lcbench(yahpo: Path) -> str | None:
    if not (yahpo / "model.onnx").exists():
        return f"LCBench is left out: there is no model.onnx in {yahpo}; say where YAHPO Gym's lcbench folder is with --yahpo."
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return "LCBench is left out: it needs onnxruntime; pip install onnxruntime."
    return None


def lcbench(yahpo: Path, task: str) -> Problem:
    declared = json.loads((yahpo / "config_space.json").read_text())["hyperparameters"]
    space: dict[str, Any] = {
        each["name"]: Range(each["lower"], each["upper"], each["log"], each["type"] == "uniform_int")
        for each in declared
        if each["name"] in INPUTS and each["name"] != "epoch"
    }

    def value(config: Config) -> float:
        return float(_accuracies(yahpo, task, [[EPOCHS, *(config[name] for name in INPUTS[1:])]])[0])

    def sample() -> float:
        return _best_of_sample(yahpo, task, [space[name] for name in INPUTS[1:]])

    return Problem(f"lcbench {task}", space, value, mode="max", sample=sample)


@cache
def surrogate(yahpo: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # there is a process for each core already
    return onnxruntime.InferenceSession(yahpo / "model.onnx", options)


def _accuracies(yahpo: Path, task: str, inputs: Any) -> Any:
    import numpy as np

    code = json.loads((yahpo / "encoding.json").read_text())["OpenML_task_id"][task]
    inputs = np.asarray(inputs, np.float32)
    tasks = np.full((len(inputs), 1), code, np.int32)
    return surrogate(yahpo).run(None, {"x_cat": tasks, "x_cont": inputs})[0][:, VAL_ACCURACY]


def _best_of_sample(yahpo: Path, task: str, ranges: list[Range]) -> float:
    import numpy as np

    rng = np.random.default_rng(0)
    columns = [np.full(SAMPLE, EPOCHS)]
    for low, high, log, integer in ranges:
        edge = 0.5 if integer else 0  # each integer as likely as on the declared scale
        ends = (low - edge, high + edge)
        drawn = np.exp(rng.uniform(*np.log(ends), SAMPLE)) if log else rng.uniform(*ends, SAMPLE)
        columns.append(np.clip(np.round(drawn), low, high) if integer else drawn)
    return float(_accuracies(yahpo, task, np.column_stack(columns)).max())
