"""The contract of modifiers, kept by the kernel's own and by one that changes nothing."""

from __future__ import annotations

import pytest

from microtune import Modifier, hookimpl
from microtune.modifiers import PointsToEvaluate
from microtune.testing import ModifierContract


class TestOneThatChangesNothing(ModifierContract):
    plugin = Modifier


class TestPointsToEvaluate(ModifierContract):
    plugin = PointsToEvaluate
    options = {"points": [{"lr": 0.1}, {"kind": "b", "width": 3}]}


class ForgetsTeardown(Modifier):
    """Swallows a hook."""

    @hookimpl
    def teardown(self):
        pass


class ClaimsTokens(Modifier):
    """Gives the searcher behind it tokens that mean nothing to it."""

    @hookimpl
    def on_start(self, run, trial):
        super().on_start(run, trial._replace(token={"mine": 1}))


@pytest.mark.parametrize(
    ("plugin", "test"),
    [
        (ForgetsTeardown, "test_the_searcher_behind_it_is_set_up_and_torn_down_once"),
        (ClaimsTokens, "test_the_searcher_behind_it_never_hears_a_token_that_is_not_its_own"),
    ],
)
def test_an_unsound_modifier_is_found(plugin, test):
    contract = type("Contract", (ModifierContract,), {"plugin": plugin})()
    with pytest.raises(AssertionError):
        getattr(contract, test)()
