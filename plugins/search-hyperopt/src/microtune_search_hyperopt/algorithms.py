"""Hyperopt's algorithms by name, with their options: each is a function of (new_ids, domain, trials, seed)."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from hyperopt import anneal, atpe, mix, rand, tpe
from hyperopt.base import Domain, Trials

from microtune import OptionError

Algorithm: TypeAlias = Callable[..., list[dict[str, Any]]]

OPTIONS = {
    "tpe": ("n_startup_jobs", "gamma", "n_EI_candidates", "prior_weight"),
    "atpe": (),
    "anneal": ("avg_best_idx", "shrink_coef"),
    "random": (),
}
# What is wrong with a value, or None.
_LIMITS: dict[str, tuple[Callable[[float], bool], str]] = {
    "n_startup_jobs": (lambda value: value >= 1, "at least 1"),
    "gamma": (lambda value: value > 0, "above zero"),
    "n_EI_candidates": (lambda value: value >= 1, "at least 1"),
    "prior_weight": (lambda value: value > 0, "above zero"),
    "avg_best_idx": (lambda value: value >= 1, "at least 1"),
    "shrink_coef": (lambda value: value >= 0, "zero or above"),
}


def chosen(algo: str, p_suggest: Mapping[str, float] | None, options: Mapping[str, Any]) -> tuple[Algorithm, set[str]]:
    """The algorithm with these options (None: hyperopt's default), and the names of those that it consists of."""
    if algo == "mix":
        parts = _shares(p_suggest)
    elif algo in OPTIONS:
        parts = {algo: 1.0}
        if p_suggest is not None:
            raise OptionError(f"hyperopt: p_suggest is for algo='mix', and algo is {algo!r}: say algo='mix' or leave it out")
    else:
        raise OptionError(f"hyperopt: algo is {algo!r}; it is one of {', '.join(OPTIONS)}, mix")
    given = {name: value for name, value in options.items() if value is not None}
    _check(algo, parts, given)
    functions = {name: _function(name, given) for name in parts}
    if algo != "mix":
        return functions[algo], set(parts)
    return partial(mix.suggest, p_suggest=[(share, functions[name]) for name, share in parts.items()]), set(parts)


def _shares(p_suggest: Mapping[str, float] | None) -> dict[str, float]:
    example = 'for example p_suggest={"tpe": 0.7, "anneal": 0.2, "random": 0.1}'
    if not p_suggest:
        raise OptionError(f"hyperopt: algo='mix' needs p_suggest, the probability of each algorithm: {example}")
    for name, share in p_suggest.items():
        if name not in OPTIONS:
            raise OptionError(f"hyperopt: p_suggest names {name!r}; the algorithms are {', '.join(OPTIONS)}")
        if not 0 <= share <= 1:
            raise OptionError(f"hyperopt: p_suggest gives {name!r} the probability {share!r}; {example}")
    if abs(sum(p_suggest.values()) - 1) > 1e-6:
        raise OptionError(f"hyperopt: the probabilities in p_suggest add up to {sum(p_suggest.values()):g}, not 1; {example}")
    return dict(p_suggest)


def _check(algo: str, parts: Mapping[str, float], given: Mapping[str, Any]) -> None:
    known = [option for name in parts for option in OPTIONS[name]]
    for option, value in given.items():
        if option not in known:
            listing = f"its options are {', '.join(known)}" if known else "it has no options"
            raise OptionError(f"hyperopt: algo={algo!r} has no option {option!r}; {listing}")
        allowed, limit = _LIMITS[option]
        if not allowed(value):
            raise OptionError(f"hyperopt: {option} is {value!r}; it must be {limit}")
    missing = [module for module in ("lightgbm", "sklearn") if "atpe" in parts and find_spec(module) is None]
    if missing:
        raise OptionError(
            f"hyperopt: atpe needs {' and '.join(missing)}, which cannot be imported here: "
            "pip install 'microtune-search-hyperopt[atpe]'"
        )


def _function(name: str, given: Mapping[str, Any]) -> Algorithm:
    own = {option: given[option] for option in OPTIONS[name] if option in given}
    if name == "tpe":
        return partial(tpe.suggest, verbose=False, **own)
    if name == "anneal":
        return partial(anneal.suggest, **own)
    return _atpe if name == "atpe" else rand.suggest


def _atpe(new_ids: list[int], domain: Domain, trials: Trials, seed: int) -> list[dict[str, Any]]:
    """It draws from global generators, cannot begin without a loss, and warns of correlations that it then ignores."""
    if all(result["loss"] is None for result in trials.results):
        return rand.suggest(new_ids, domain, trials, seed)
    with _global_generators(int(seed)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return atpe.suggest(new_ids, domain, trials, seed)


@contextmanager
def _global_generators(seed: int) -> Iterator[None]:
    """Python's and numpy's are seeded inside, and outside what they were."""
    states = random.getstate(), np.random.get_state(legacy=False)
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
