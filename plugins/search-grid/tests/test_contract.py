from __future__ import annotations

from microtune.testing import SearcherContract


class TestContract(SearcherContract):
    plugin = "grid"
    grid = True


class TestContractWithConstant(TestContract):
    options = {"constant": True}
