from __future__ import annotations

import pytest

from microtune_execute_ray.cluster import Cluster
from microtune_execute_ray.handle import Attempt, Handle
from microtune_execute_ray.needs import Need
from microtune_execute_ray.placement import Placement

SMALL, LARGE = Need.of({"cpu": 1}), Need.of({"cpu": 3})


def attempt(name: str, need: Need = SMALL) -> Attempt:
    return Attempt(1, name, 1, need, ())


@pytest.fixture
def placement():
    cluster = Cluster("PACK")
    cluster.nodes = [{"cpu": 4.0}]
    cluster.total = {"cpu": 4.0}
    return Placement(cluster, SMALL, queue=0)


def test_room_is_what_the_cluster_has_less_what_is_held(placement):
    assert placement.room() == 4
    held = [attempt("a"), attempt("b"), attempt("c", LARGE)]
    for each, left in zip(held, (3, 2, 0), strict=True):
        placement.hold(each)
        assert placement.room() == left
    placement.let_go(held[0])
    placement.let_go(held[1])
    assert placement.room() == 1  # beside the large one
    placement.let_go(held[2])
    assert placement.room() == 4


def test_a_queue_is_room_beyond_what_there_is(placement):
    placement._queue = 2
    assert placement.room() == 6


def test_a_worker_is_asked_for_only_where_none_is_on_its_way_for_that_trial(placement):
    assert placement.wait(attempt("a"))
    first = Handle(1, SMALL)
    placement.expect(first)
    assert placement.next(SMALL).trial_id == "a"  # another worker has taken it
    assert not placement.wait(attempt("b"))
    assert placement.wait(attempt("c"))
    assert [placement.next(SMALL).trial_id for _ in range(2)] == ["b", "c"]


def test_a_worker_that_dies_on_its_way_takes_a_trial_with_it_only_if_no_other_comes(placement):
    one, two = Handle(1, SMALL), Handle(2, SMALL)
    for name, handle in (("a", one), ("b", two)):
        placement.wait(attempt(name))
        placement.expect(handle)
    assert placement.next(SMALL).trial_id == "a"
    placement.forget(one)
    assert placement.bereaved(SMALL) is None
    placement.forget(two)
    assert placement.bereaved(SMALL).trial_id == "b"


def test_workers_of_another_size_make_room(placement):
    small, other = Handle(1, SMALL), Handle(2, SMALL)
    placement.rest(small)
    placement.rest(other)
    placement.forget(other)
    assert placement.others_at_rest(SMALL) == []
    assert placement.others_at_rest(LARGE) == [small]
    assert placement.idle(SMALL) is None
