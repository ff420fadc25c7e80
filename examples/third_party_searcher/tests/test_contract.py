from __future__ import annotations

from microtune.testing import SearcherContract


class TestContract(SearcherContract):
    plugin = "climb"
    startup = 8
    learns = True
