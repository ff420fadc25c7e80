"""Random numbers of one's own from the generators that belong to everybody."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it could plot if it had matplotlib
    import cma


class Generators:
    """nevergrad draws from Python's and numpy's global generators here and there, and so do the libraries behind it."""

    def __init__(self, rng: random.Random) -> None:
        self._own: tuple[Any, Any] = (
            random.Random(rng.getrandbits(32)).getstate(),
            np.random.RandomState(rng.getrandbits(32)).get_state(legacy=False),
        )

    @contextmanager
    def apart(self) -> Iterator[None]:
        """The global generators are its own inside, and outside what they were. Warnings, too, stay inside."""
        options = cma.CMAOptions.defaults()
        outside = random.getstate(), np.random.get_state(legacy=False), options["seed"]
        random.setstate(self._own[0])
        np.random.set_state(self._own[1])
        options["seed"] = math.nan  # else nevergrad's CmaFmin2, which NGOpt likes, seeds numpy with the time of day
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of nevergrad's own choices, such as another method for so small a budget
                yield
        finally:
            self._own = random.getstate(), np.random.get_state(legacy=False)
            random.setstate(outside[0])
            np.random.set_state(outside[1])
            options["seed"] = outside[2]
