from __future__ import annotations

from microtune.testing import SchedulerContract, SearcherContract


class TestTPE(SearcherContract):
    plugin = "optuna"
    startup = 10
    learns = True


class TestRandom(SearcherContract):
    plugin = "optuna"
    options = {"sampler": "random"}


class TestCMAES(SearcherContract):
    plugin = "optuna"
    options = {"sampler": "cmaes", "popsize": 4}
    startup = 1
    learns = True


class TestNSGA2(SearcherContract):
    plugin = "optuna"
    options = {"sampler": "nsga2", "population_size": 4}
    startup = 4
    learns = True
    distinct = False  # a child of two equal parents that does not mutate is their equal


class TestMedianPruner(SchedulerContract):
    plugin = "optuna"
    options = {"pruner": "median", "n_startup_trials": 3}


class TestHyperbandPruner(SchedulerContract):
    plugin = "optuna"
    options = {"pruner": "hyperband", "max_resource": 27}
