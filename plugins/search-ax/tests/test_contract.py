from __future__ import annotations

import os
from typing import ClassVar

from microtune.testing import SearcherContract

os.environ["OMP_NUM_THREADS"] = "1"  # here too, for the process that the contract starts


class TestContract(SearcherContract):
    plugin = "ax"
    options: ClassVar[dict] = {"initialization_budget": 6}
    learns = True
    samples = 7  # one of them modelled, which takes seconds; test_search.py models more
