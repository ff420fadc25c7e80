from __future__ import annotations

import math

import pytest

from microtune import Done, Facts, Limits, Objective, Space, Start, Trial, grid_search, sample_from, uniform
from microtune_search_grid import GridSearch


def facts(space, num_samples=1, seed=0):
    return Facts(
        id="", name="", path="", seed=seed, space=space if isinstance(space, Space) else Space(space),
        objective=Objective("loss", "min"), num_samples=num_samples, limits=Limits(trials=None), resources={}, trainable=None,
    )  # fmt: skip


class Search:
    """A grid search, asked and told as the kernel would."""

    def __init__(self, run, **options):
        self.run = run
        self.searcher = GridSearch(**options)
        self.searcher.setup(run=run)
        self.trials = []

    def start(self, config=None):
        """The next trial's config, or None when the searcher is through; a given config is somebody else's."""
        number, token = len(self.trials), None
        if config is None:
            answer = self.searcher.suggest(run=self.run, rng=self.run.rng("suggest", number))
            if isinstance(answer, Done):
                return None
            config, token = answer.config, answer.token
        self.tell(Trial(f"{number:05d}", number, config, token=token))
        return config

    def tell(self, trial):
        self.trials.append(trial)
        self.searcher.on_start(trial=trial)

    def rest(self):
        return list(iter(self.start, None))


GRID = {"a": grid_search([1, 2]), "net": {"b": grid_search(["x", "y", "z"])}}


def pairs(configs):
    return [(config["a"], config["net"]["b"]) for config in configs]


ONE_PASS = [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]


def test_the_whole_grid_is_gone_through_num_samples_times_pass_after_pass():
    assert pairs(Search(facts(GRID, num_samples=2)).rest()) == ONE_PASS * 2


def test_the_cells_are_those_of_the_space_in_its_order():
    space = Space(GRID)
    flat = [{"a": a, "net/b": b} for a, b in pairs(Search(facts(space)).rest())]
    assert flat == list(space.cells())


def test_the_number_of_trials_is_the_product_of_the_grids_times_num_samples():
    spec = {name: grid_search(list(range(size))) for name, size in (("a", 3), ("b", 4), ("c", 5), ("d", 1))}
    configs = Search(facts({**spec, "x": uniform(0, 1)}, num_samples=3)).rest()
    assert len(configs) == 3 * 4 * 5 * 1 * 3 == Space(spec).count(3)
    assert len({(config["a"], config["b"], config["c"]) for config in configs}) == 60


def test_what_is_no_grid_is_sampled_for_each_trial():
    configs = Search(facts({**GRID, "x": uniform(0, 1), "double": sample_from(lambda config: 2 * config["x"])}, 2)).rest()
    assert len({config["x"] for config in configs}) == 12
    assert all(config["double"] == 2 * config["x"] for config in configs)


def test_constant_keeps_what_is_no_grid_for_a_whole_pass():
    configs = Search(facts({**GRID, "x": uniform(0, 1)}, num_samples=3), constant=True).rest()
    drawn = [config["x"] for config in configs]
    assert drawn == [drawn[0]] * 6 + [drawn[6]] * 6 + [drawn[12]] * 6
    assert len(set(drawn)) == 3
    assert pairs(configs) == ONE_PASS * 3


def test_without_a_number_of_samples_it_begins_again_for_ever():
    search = Search(facts(GRID, num_samples=None))
    assert pairs(search.start() for _ in range(14)) == ONE_PASS * 2 + ONE_PASS[:2]


def test_without_a_grid_it_samples():
    assert len({config["x"] for config in Search(facts({"x": uniform(0, 1)}, num_samples=5)).rest()}) == 5


def test_trials_of_others_do_not_take_its_cells():
    search = Search(facts(GRID))
    search.start({"a": 1, "net": {"b": "z"}})
    mine = [search.start(), search.start()]
    search.start({"a": 2, "net": {"b": "z"}})
    assert pairs(mine + search.rest()) == ONE_PASS


def test_a_resumed_trial_is_no_new_cell():
    search = Search(facts(GRID))
    search.start()
    search.tell(search.trials[0]._replace(starts=2))
    assert pairs(search.rest()) == ONE_PASS[1:]


@pytest.mark.parametrize("constant", [False, True])
def test_a_replayed_search_goes_on_where_it_was(constant):
    run = facts({**GRID, "x": uniform(0, 1)}, num_samples=2)
    whole = Search(run, constant=constant)
    for _ in range(5):
        whole.start()
    replayed = Search(run, constant=constant)
    for trial in whole.trials:
        replayed.tell(trial)
    assert replayed.rest() == whole.rest()


def test_a_million_cells_cost_nothing_before_they_are_asked_for():
    spec = {name: grid_search(list(range(10))) for name in "abcdef"}
    search = Search(facts(spec))
    search.tell(Trial("x", 0, {}, token=123_456))
    assert search.start() == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 7}


def test_cells_that_break_a_constraint_are_passed_over_and_used_up():
    space = Space({"a": grid_search(list(range(300))), "b": grid_search([1, 2])}, [lambda c: c["a"] >= 250 and c["b"] == 2])
    configs = Search(facts(space, num_samples=2)).rest()
    assert [config["a"] for config in configs] == list(range(250, 300)) * 2


def test_a_grid_that_breaks_every_constraint_is_left_to_the_kernel_to_refuse():
    run = facts(Space({"a": grid_search([1, 2])}, [lambda config: False]), num_samples=None)
    searcher = GridSearch()
    searcher.setup(run=run)
    answer = searcher.suggest(run=run, rng=run.rng("suggest", 0))
    assert isinstance(answer, Start)
    assert not run.space.feasible(answer.config)
    assert math.isfinite(answer.token)
