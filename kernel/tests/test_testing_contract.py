"""What all contracts share."""

from __future__ import annotations

import subprocess
import sys

import pytest

import microtune as mt
from microtune.testing import SearcherContract
from microtune.testing.contract import Contract


class Searcher:
    """Does nothing worth mentioning."""

    def __init__(self, *, width: int = 3) -> None:
        self.width = width

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start(run.space.sample(rng))


def contract(**members):
    return type("TestContract", (SearcherContract,), {"plugin": Searcher, **members})()


def test_a_deleted_test_is_found():
    left_out = contract(test_several_objectives_are_refused_or_handled=None)
    with pytest.raises(AssertionError, match="xfail"):
        left_out.test_no_test_of_the_contract_is_left_out()


def test_a_test_that_is_expected_to_fail_must_give_a_reason():
    def replaced(self):
        pass

    with pytest.raises(AssertionError, match="xfail"):
        contract(test_many_trials_may_be_in_flight=pytest.mark.xfail(replaced)).test_no_test_of_the_contract_is_left_out()
    marked = pytest.mark.xfail(reason="one at a time")(replaced)
    contract(test_many_trials_may_be_in_flight=marked).test_no_test_of_the_contract_is_left_out()


def test_tests_may_be_added_and_helpers_replaced():
    contract(test_more=lambda self: None, make=lambda self: Searcher(width=5)).test_no_test_of_the_contract_is_left_out()


def test_an_option_without_a_keyword_or_an_annotation_is_found():
    class Positional:
        def __init__(self, width: int) -> None: ...

    class Bare:
        def __init__(self, *, width=3) -> None: ...

    contract().test_every_option_is_an_annotated_keyword()
    for plugin in (Positional, Bare):
        with pytest.raises(AssertionError, match="width"):
            contract(plugin=plugin).test_every_option_is_an_annotated_keyword()


def test_a_plugin_that_compares_equal_is_found():
    class Equal(Searcher):
        """Equal to others."""

        __hash__ = object.__hash__

        def __eq__(self, other):
            return True

    contract().test_it_has_a_docstring_and_no_equality()
    with pytest.raises(AssertionError, match="__eq__"):
        contract(plugin=Equal).test_it_has_a_docstring_and_no_equality()


def test_a_name_that_nobody_offers_is_said():
    with pytest.raises(AssertionError, match="0 installed distributions offer the searcher 'no-such-searcher'"):
        contract(plugin="no-such-searcher").make()


def test_options_go_to_the_constructor():
    assert contract(options={"width": 7}).make().width == 7


def test_every_contract_names_its_role():
    from microtune import testing

    roles = {name.removesuffix("Contract").lower() for name in testing.__all__ if name.endswith("Contract")}
    contracts = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]
    assert all(issubclass(one, Contract) for one in contracts)
    assert {one.role for one in contracts} == roles == {"searcher", "scheduler", "executor", "logger", "modifier"}


def test_the_fakes_need_no_pytest():
    code = "import sys; from microtune.testing import FakeExecutor, fake_dist; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
