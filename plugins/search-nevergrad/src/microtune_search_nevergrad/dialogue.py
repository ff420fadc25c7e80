"""One optimiser of nevergrad: asked and told."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import nevergrad as ng
import numpy as np
from nevergrad.common.errors import TellNotAskedNotSupportedError
from nevergrad.optimization.base import Optimizer
from nevergrad.optimization.recaster import MessagingThread, SequentialRecastOptimizer, TooManyAskError

from microtune import OptionError
from microtune_search_nevergrad.generators import Generators


class Dialogue:
    """`budget` and `workers` are what many optimisers choose their method and population by."""

    def __init__(
        self, maker: Any, root: ng.p.Parameter, rng: random.Random, *, budget: int, workers: int, objectives: int
    ) -> None:
        self.budget = budget
        self.workers = workers
        self.root = root
        root.random_state = np.random.RandomState(rng.getrandbits(32))
        self._generators = Generators(rng)
        with self._generators.apart():
            self._optimizer = maker(parametrization=root, budget=budget, num_workers=workers)
            self._optimizer.num_objectives = objectives
            self._recast = list(_recast(self._optimizer))

    @property
    def threaded(self) -> bool:
        """Whether a part of it is another library's, which runs in a thread and is deaf to all but the answer it waits for."""
        return bool(self._recast)

    def ask(self) -> ng.p.Parameter | None:
        """A candidate, or None where it cannot have one before others are told."""
        with self._generators.apart():
            try:
                return self._optimizer.ask()
            except TooManyAskError:
                return None

    def answer(self, candidate: ng.p.Parameter, losses: Sequence[float]) -> None:
        """Tell what came of a candidate that it was asked for."""
        self._tell(candidate, losses)

    def inform(self, candidate: ng.p.Parameter, losses: Sequence[float]) -> bool:
        """Tell of a candidate that it was not asked for; False where this optimiser cannot learn from one."""
        if self.threaded:
            return False
        try:
            self._tell(candidate, losses)
        except TellNotAskedNotSupportedError:
            return False
        return True

    def _tell(self, candidate: ng.p.Parameter, losses: Sequence[float]) -> None:
        answers = [_answers(part) for part in self._recast]
        with self._generators.apart():
            self._optimizer.tell(candidate, losses[0] if len(losses) == 1 else list(losses))
            for part, before in zip(self._recast, answers, strict=True):
                if _answers(part) > before:
                    _let_think(part)


def _recast(optimizer: Any) -> Iterator[Any]:
    """Those of the optimisers that this one consists of, itself included, that run in a thread."""
    if optimizer.recast:
        yield optimizer
    parts = [getattr(optimizer, "optim", None)]  # what NGOpt and its kin choose, once they are asked for it
    for value in vars(optimizer).values():
        parts += value if isinstance(value, list) else [value]
    for part in {id(part): part for part in parts if isinstance(part, Optimizer)}.values():
        yield from _recast(part)


def _answers(optimizer: Any) -> int:
    """How many of its own questions were answered."""
    return int(optimizer.num_tell - optimizer.num_tell_not_asked)


def _let_think(optimizer: Any) -> None:
    """Until its thread has the next question, or is at its end: it shall not draw from generators that are given back."""
    if isinstance(optimizer, SequentialRecastOptimizer):
        thread = next(value for value in vars(optimizer).values() if isinstance(value, MessagingThread))
        while thread.is_alive() and thread.messages_ask.empty():
            time.sleep(1e-4)


def maker_of(optimizer: Any) -> Any:
    """What makes an optimiser of this name; a class or a configured family of nevergrad is one itself."""
    if not isinstance(optimizer, str):
        if callable(optimizer):
            return optimizer
        raise OptionError(
            f"nevergrad: optimizer is {optimizer!r}; it must be a name such as 'NGOpt', or an optimiser class or family of "
            "nevergrad, such as ng.optimizers.ParametrizedOnePlusOne(mutation='fastga')"
        )
    registry = ng.optimizers.registry
    if optimizer in registry:
        return registry[optimizer]
    lowered = {name.lower(): name for name in registry}
    near = [lowered[name] for name in get_close_matches(optimizer.lower(), lowered, n=5)]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise OptionError(
        f"nevergrad: optimizer={optimizer!r} is none of the {len(registry)} in ng.optimizers.registry; {meant}"
        "usual ones are NGOpt, CMA, DE, TwoPointsDE, PSO, OnePlusOne, DiscreteOnePlusOne, RandomSearch"
    )
