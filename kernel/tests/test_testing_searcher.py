"""The contract of searchers: a sound one passes, and each way of being unsound is found."""

from __future__ import annotations

import random

import pytest

import microtune as mt
from microtune.testing import FakeSearcher, SearcherContract


class Sampling:
    """Samples the space, and refuses what it cannot."""

    @mt.hookimpl
    def setup(self, run):
        if next(run.space.cells()):
            raise mt.OptionError("no grid_search here")

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start(run.space.sample(rng))


class TestSampling(SearcherContract):
    plugin = Sampling
