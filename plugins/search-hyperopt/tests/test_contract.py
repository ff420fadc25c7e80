from __future__ import annotations

from microtune.testing import SearcherContract


class TestContract(SearcherContract):
    plugin = "hyperopt"
    startup = 20
    learns = True


class TestAnneal(SearcherContract):
    plugin = "hyperopt"
    options = {"algo": "anneal"}
    learns = True


class TestMix(SearcherContract):
    plugin = "hyperopt"
    options = {"algo": "mix", "p_suggest": {"tpe": 0.5, "anneal": 0.3, "random": 0.2}, "n_startup_jobs": 5}
    startup = 5
    learns = True
