"""With the errors that Ray 2.60 itself makes."""

from __future__ import annotations

import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError, RuntimeEnvSetupError

from microtune import RunError
from microtune_execute_ray import deaths


@pytest.mark.parametrize(
    ("death", "kind"),
    [
        (ActorDiedError(), "lost"),
        (OutOfMemoryError("Memory usage 2 B exceeded threshold"), "out_of_memory"),
        (ConnectionError("the cluster has gone"), "lost"),
        (None, "lost"),
    ],
)
def test_a_death_has_a_kind_and_says_who_died(death, kind):
    failure = deaths.failure_of(death, "process 7 on n1")
    assert failure.kind == kind
    assert "process 7 on n1" in failure.message
    assert failure.traceback == ("" if death is None else str(death).strip())


def test_where_no_worker_can_start_the_run_ends_and_says_what_nodes_need():
    with pytest.raises(RunError, match=r"no such package[\s\S]*Every node needs"):
        deaths.refuse_hopeless(RuntimeEnvSetupError("no such package"))
    deaths.refuse_hopeless(ActorDiedError())  # a node that died may be followed by another one
