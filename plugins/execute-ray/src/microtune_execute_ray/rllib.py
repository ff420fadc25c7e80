"""RLlib's algorithms as trainables: `Tuner("rllib:DQN", ...)`, or `Tuner(rllib(DQNConfig()...), ...)`."""

from __future__ import annotations

import inspect
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from microtune import OptionError, Trainable, get_context
from microtune_execute_ray.needs import OURS

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

SEEDS = 2**31 - 2**20  # RLlib adds the numbers of processes and environments to a seed, and NumPy takes 32 bits

# The methods of an AlgorithmConfig that set options. As keys of a config they hold the options of that method.
GROUPS = (
    "debugging", "env_runners", "environment", "evaluation", "experimental", "fault_tolerance", "framework", "learners",
    "multi_agent", "offline_data", "reporting", "resources", "rl_module", "training",
)  # fmt: skip
ALIASES = ("callbacks", "env_config", "lambda", "model", "multiagent")  # of options, for which AlgorithmConfig has other names
LEFT_OUT = ("config", "training_iteration", "time_total_s")  # of a result: the first is known, the others microtune counts


class RLlibTrainable(Trainable):
    """One RLlib algorithm. A step is one `Algorithm.train()`, and its metrics are the numbers of what that returns.

    They are nested as RLlib nests them: "env_runners/episode_return_mean" is the metric of most runs.
    """

    base: ClassVar[AlgorithmConfig]
    algorithm: Algorithm | None = None

    def setup(self, config: dict[str, Any]) -> None:
        chosen = configured(self.base, config)
        if chosen.seed is None:
            chosen.debugging(seed=get_context().seed % SEEDS)
        self.algorithm = chosen.build_algo()

    def step(self) -> dict[str, Any]:
        result = self._built.train()
        return _numbers({key: value for key, value in result.items() if key not in LEFT_OUT})

    def save_checkpoint(self, folder: Path) -> None:
        self._built.save_to_path(folder.absolute())

    def load_checkpoint(self, folder: Path) -> None:
        self._built.restore_from_path(folder.absolute())

    def cleanup(self) -> None:
        algorithm, self.algorithm = self.algorithm, None
        if algorithm is not None:
            algorithm.stop()
            with suppress(OSError):  # RLlib makes a folder for every algorithm, which stays unless it was used for anything
                os.rmdir(algorithm.logdir)

    @property
    def _built(self) -> Algorithm:
        assert self.algorithm is not None
        return self.algorithm


def rllib(base: AlgorithmConfig) -> type[RLlibTrainable]:
    """A trainable: the algorithm of this config, with its options but for what a trial's config says.

    A trial's config names options, {"lr": 1e-3}, or methods of an AlgorithmConfig with theirs, {"training": {"lr": 1e-3}};
    OptionError where RLlib has no such option, which Ray Tune does not say. Where no seed is given a trial has its own.
    """
    if base.algo_class is None:
        raise OptionError(f"rllib() was given {base!r}, which is of no algorithm: give it such as DQNConfig()")
    kept, name = base.copy(copy_frozen=False), base.algo_class.__name__
    trainable = type(name, (RLlibTrainable,), {"base": kept, "__doc__": RLlibTrainable.__doc__})
    trainable.__module__ = __name__
    trainable.__qualname__ = f"rllib({name})"  # nobody can import it by that, so `Tuner.restore` asks for it
    return trainable


def by_name(algorithm: str) -> type[RLlibTrainable]:
    """The trainable "rllib:<algorithm>", with RLlib's own options. OptionError where there is none, or no RLlib."""
    try:
        from ray.rllib.algorithms.registry import ALGORITHMS
    except ImportError as error:
        raise OptionError(
            f"trainable 'rllib:{algorithm}': RLlib cannot be imported ({error}): pip install 'microtune-execute-ray[rllib]'"
        ) from error
    if algorithm not in ALGORITHMS:
        near = _did_you_mean(algorithm, ALGORITHMS)
        raise OptionError(f"trainable 'rllib:{algorithm}': RLlib has no such algorithm{near}; it has {', '.join(ALGORITHMS)}")
    _, defaults = ALGORITHMS[algorithm]()
    return rllib(defaults)


def bundles(trainable: type[RLlibTrainable]) -> Callable[[dict[str, Any]], list[dict[str, float]]]:
    """For `RayExecutor(trial_resources=...)`: what RLlib says a trial needs, as a function of its config.

    The first bundle is the algorithm's, the others are for its env runners and learners, which Ray places in them.
    """

    def needed(config: dict[str, Any]) -> list[dict[str, float]]:
        chosen = configured(trainable.base, config)
        assert chosen.algo_class is not None
        asked = chosen.algo_class.default_resource_request(chosen).bundles
        return [{OURS.get(name, name): float(amount) for name, amount in bundle.items()} for bundle in asked]

    return needed


def configured(base: AlgorithmConfig, config: Mapping[str, Any]) -> AlgorithmConfig:
    """A copy of `base` with what a trial's config says."""
    chosen = base.copy(copy_frozen=False)
    who = type(chosen).__name__
    options = {}
    for key, value in config.items():
        if key not in GROUPS or not isinstance(value, Mapping):
            options[key] = value
            continue
        try:
            getattr(chosen, key)(**value)
        except TypeError as error:
            raise OptionError(f"{who} does not take what the config has under {key!r}: {error}") from error
    known = [*vars(chosen), *_settable(type(chosen)), *GROUPS, *ALIASES]
    for key in options:  # RLlib itself takes any
        if key not in known:
            raise OptionError(
                f"{who} has no option {key!r}{_did_you_mean(key, known)}: a config names options, or methods of {who} with "
                "theirs, such as {'env': 'CartPole-v1', 'training': {'lr': 0.001}}"
            )
    return chosen.update_from_dict(options)


def _settable(cls: type[Any]) -> list[str]:
    return [name for name, value in inspect.getmembers(cls) if isinstance(value, property) and value.fset is not None]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _numbers(result: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, Mapping):
            if inner := _numbers(value):
                told[str(key)] = inner
        elif isinstance(value, numbers.Real) and not isinstance(value, bool):
            told[str(key)] = value
    return told
