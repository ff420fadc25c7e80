"""What surrounds a call of Ax: seeded generators that are given back afterwards, and silence."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def calm(rng: random.Random | None = None) -> Iterator[None]:
    """Ax says only what is an error here. With `rng`, the generators of random, numpy and torch are seeded from it within,
    and are afterwards what they were: Ax and BoTorch draw from the global ones.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ax.utils.common.logger import ROOT_STREAM_HANDLER  # the first import of Ax warns too
        from ax.utils.common.random import with_rng_seed

        level = ROOT_STREAM_HANDLER.level
        ROOT_STREAM_HANDLER.setLevel(logging.ERROR)  # every INFO of Ax ends in this handler
        try:
            with with_rng_seed(None if rng is None else rng.getrandbits(32)):
                yield
        finally:
            ROOT_STREAM_HANDLER.setLevel(level)
