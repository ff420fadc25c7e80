"""The arithmetic, against a count by hand or by brute force; no Ray is started here."""

from __future__ import annotations

import itertools
import random
import signal
import threading

import pytest

from microtune import OptionError
from microtune_execute_ray import cluster as clusters
from microtune_execute_ray.cluster import Cluster
from microtune_execute_ray.needs import Need


def with_nodes(nodes, strategy="PACK"):
    cluster = Cluster(strategy)
    cluster.nodes = nodes
    return cluster


def test_a_trial_does_not_stretch_over_two_nodes():
    cluster = with_nodes([{"cpu": 3.0}, {"cpu": 3.0}])
    assert [cluster.fits(Need.of({"cpu": n})) for n in (1, 2, 3, 4)] == [6, 2, 2, 0]


def test_fractions_fit_as_often_as_ray_grants_them():
    cluster = with_nodes([{"cpu": 1.0, "gpu": 2.0}])
    assert cluster.fits(Need.of({"cpu": 0.1})) == 10  # 0.1 + ... + 0.1 is less than one
    assert cluster.fits(Need.of({"cpu": 0.1, "gpu": 1 / 3})) == 6


@pytest.mark.parametrize(
    ("strategy", "fits"), [("PACK", 3), ("SPREAD", 3), ("STRICT_PACK", 2), ("STRICT_SPREAD", 2)]
)
def test_bundles_fit_as_their_strategy_allows(strategy, fits):
    nodes = [{"cpu": 4.0}, {"cpu": 1.0}, {"cpu": 1.0}]
    assert with_nodes(nodes, strategy).fits(Need.of([{"cpu": 1}, {"cpu": 1}])) == fits


def test_no_placement_is_counted_that_a_brute_force_search_does_not_find():
    chance = random.Random(1)
    for _ in range(200):
        nodes = [{"cpu": float(chance.randint(0, 3))} for _ in range(3)]
        bundles = [{"cpu": float(chance.randint(1, 2))} for _ in range(2)]
        for strategy in ("PACK", "STRICT_SPREAD"):
            count = with_nodes(nodes, strategy).fits(Need.of(bundles))
            assert count <= most(nodes, bundles, strategy)
            assert (count > 0) == (most(nodes, bundles, strategy) > 0)


def most(nodes, bundles, strategy):
    """How many groups at a time, by trying every node for every bundle of every group."""
    best = 0
    for at in itertools.product(range(len(nodes)), repeat=len(bundles)):
        if strategy == "STRICT_SPREAD" and len(set(at)) < len(at):
            continue
        left = [dict(node) for node in nodes]
        for i, bundle in zip(at, bundles, strict=True):
            left[i]["cpu"] -= bundle["cpu"]
        if min(node["cpu"] for node in left) >= 0:
            best = max(best, 1 + most(left, bundles, strategy))
    return best


def test_a_refusal_says_what_every_node_has():
    cluster = with_nodes([{"cpu": 4.0, "gpu": 1.0}, {"cpu": 2.0}], "STRICT_SPREAD")
    assert cluster.refusal(Need.of({"gpu": 1})) is None
    assert cluster.refusal(Need.of({"gpu": 2})) == (
        "a trial needs cpu: 1, gpu: 2, and the nodes of the Ray cluster have cpu: 4, gpu: 1; cpu: 2"
    )
    assert "(STRICT_SPREAD)" in (cluster.refusal(Need.of([{"cpu": 3}, {"cpu": 3}])) or "")


def test_ray_client_is_refused():
    with pytest.raises(OptionError, match="run it on a node of the cluster"):
        Cluster("PACK").join("ray://somewhere:10001", {})


def test_a_cluster_that_is_not_there_is_said_so(monkeypatch):
    def init(**arguments):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(clusters.ray, "init", init)
    with pytest.raises(OptionError, match=r"no Ray cluster at '192.0.2.1:6379' could be joined or started: nobody answers"):
        Cluster("PACK").join("192.0.2.1:6379", {})


def test_rays_handler_for_sigterm_does_not_stay(monkeypatch):
    def ours(signum, frame):
        pass

    monkeypatch.setattr(clusters.ray, "init", lambda **arguments: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    before = signal.signal(signal.SIGTERM, ours)
    try:
        clusters._init({})
        assert signal.getsignal(signal.SIGTERM) is ours
        thread = threading.Thread(target=clusters._init, args=({"address": "x"},))
        monkeypatch.setattr(clusters.ray, "init", lambda **arguments: None)
        thread.start()  # where no handler can be set, none is
        thread.join()
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)
