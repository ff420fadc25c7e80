"""The contract of searchers: a sound one keeps it, and each way of being unsound is found."""

from __future__ import annotations

import random

import pytest

import microtune as mt
from microtune.testing import SearcherContract


class Sampling:
    """Samples the space."""

    @mt.hookimpl
    def setup(self, run):
        if next(run.space.cells()):
            raise mt.OptionError("no grid_search here")

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start(run.space.sample(rng))


class TestSampling(SearcherContract):
    plugin = Sampling


class DrawsGlobally(Sampling):
    """Uses the generator of everybody."""

    @mt.hookimpl
    def suggest(self, run):
        return mt.Start(run.space.sample(random))


class CountsQuestions(Sampling):
    """Keeps what the tells cannot rebuild."""

    def __init__(self):
        self._asked = 0

    @mt.hookimpl
    def suggest(self, run):
        self._asked += 1
        return mt.Start(run.space.sample(run.rng("mine", self._asked)))


class HashesText(Sampling):
    """Depends on PYTHONHASHSEED."""

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start(run.space.sample(run.rng("mine", hash("text"), rng.randrange(1000))))


class TakesGrids(Sampling):
    """Says that it goes through grids, and starts no trial of one."""

    grid = True

    @mt.hookimpl
    def setup(self, run):
        pass

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Done("nothing to do")


class Repeats(Sampling):
    """Proposes one config."""

    @mt.hookimpl
    def suggest(self, run):
        return mt.Start(run.space.sample(run.rng("mine")))


class IsDeaf(Sampling):
    """Says that it learns, and does not."""


class WaitsTooLong(Sampling):
    """Wants to hear of two trials before the third, which one worker never brings about."""

    def __init__(self):
        self._running = 0

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Wait("for the last trial") if self._running else mt.Start(run.space.sample(rng))

    @mt.hookimpl
    def on_start(self):
        self._running += 1

    @mt.hookimpl
    def on_end(self, trial):
        self._running -= trial.state == "COMPLETED"


@pytest.mark.parametrize(
    ("plugin", "test", "arguments"),
    [
        (DrawsGlobally, "test_global_generators_are_left_alone_and_mean_nothing", {}),
        (CountsQuestions, "test_a_killed_run_goes_on_as_if_it_had_not_been", {"turns": 7, "workers": 1}),
        (HashesText, "test_another_process_with_another_hash_seed_proposes_the_same", {}),
        (TakesGrids, "test_grid_search_is_gone_through_or_refused", {}),
        (Repeats, "test_it_does_not_propose_one_config_for_ever", {}),
        (Repeats, "test_trials_in_flight_are_not_proposed_again", {"workers": 8}),
        (IsDeaf, "test_it_learns_from_results_if_it_says_so", {}),
        (IsDeaf, "test_it_learns_from_a_warm_start_if_it_learns", {}),
        (WaitsTooLong, "test_trials_may_fail_stop_or_report_nonsense", {"workers": 1}),
    ],
)
def test_an_unsound_searcher_is_found(plugin, test, arguments, tmp_path):
    contract = CONTRACTS[plugin]()
    if "killed" in test or "warm" in test:
        arguments = {**arguments, "tmp_path": tmp_path}
    with pytest.raises((AssertionError, mt.RunError, pytest.fail.Exception)):
        getattr(contract, test)(**arguments)


class Contract(SearcherContract):
    """One of its own, since another process loads it by its name."""

    plugin = HashesText


CONTRACTS = {
    plugin: type("Contract", (SearcherContract,), {"plugin": plugin})
    for plugin in (DrawsGlobally, CountsQuestions, TakesGrids, Repeats, WaitsTooLong)
} | {HashesText: Contract, IsDeaf: type("Contract", (SearcherContract,), {"plugin": IsDeaf, "learns": True})}
