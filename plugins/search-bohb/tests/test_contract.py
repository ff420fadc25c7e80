from __future__ import annotations

from microtune.testing import SearcherContract


class TestContract(SearcherContract):
    """`startup`: five parameters, so eight trials before there is a model; two runs of the contract are of twelve more."""

    plugin = "bohb"
    startup = 8
    learns = True
