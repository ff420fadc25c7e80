from __future__ import annotations

import math

import pytest

from microtune_execute_local.resources import Ledger, usable_cores, visible_gpus


def ledger(total, standard, workers=None):
    made = Ledger(total, standard, workers)
    if "gpu" in total or "gpu" in standard:
        made.find_gpus()
    return made


@pytest.mark.parametrize(
    ("total", "need", "room"),
    [
        ({"cpu": 8}, {"cpu": 1}, 8),
        ({"cpu": 8}, {"cpu": 3}, 2),
        ({"cpu": 1}, {"cpu": 0.1}, 10),
        ({"cpu": 3}, {"cpu": 0.3}, 10),
        ({"cpu": 8, "tokens": 3}, {"cpu": 1, "tokens": 1}, 3),
        ({"cpu": 8, "gpu": 2}, {"cpu": 1, "gpu": 0.4}, 4),
        ({"cpu": 8, "gpu": 2}, {"cpu": 1, "gpu": 1}, 2),
        ({"cpu": 8, "gpu": 3}, {"cpu": 1, "gpu": 2}, 1),
    ],
)
def test_as_many_are_admitted_as_there_is_room_for(total, need, room):
    account = ledger(total, need)
    assert account.room() == room
    shares = []
    for left in range(room, 0, -1):
        assert account.room() == left
        shares.append(account.take(need))
    assert None not in shares
    assert account.take(need) is None
    for share in shares:
        account.give_back(need, share)
    assert account.room() == room


def test_sums_of_fractions_do_not_drift():
    account = ledger({"cpu": 1}, {"cpu": 0.1})
    for _ in range(10_000):
        account.give_back({"cpu": 0.1}, account.take({"cpu": 0.1}))
    assert account.room() == 10


def test_there_are_never_more_trials_than_workers():
    account = ledger({"cpu": 8}, {"cpu": 1}, workers=2)
    assert account.room() == 2
    account.take({"cpu": 1})
    account.take({"cpu": 0.5})
    assert account.room() == 0
    assert account.take({}) is None


def test_trials_that_need_nothing_get_a_core_each():
    assert ledger({"cpu": 8}, {}).room() == usable_cores()


def test_fractions_are_packed_so_that_whole_gpus_stay_whole():
    account = ledger({"cpu": 8, "gpu": 2}, {"cpu": 1})
    first, second = account.take({"gpu": 0.3}), account.take({"gpu": 0.3})
    assert first == second
    (whole,) = account.take({"gpu": 1})
    assert whole not in first
    assert account.take({"gpu": 0.5}) is None
    assert account.take({"gpu": 0.4}) == first


@pytest.mark.parametrize(
    ("need", "words"),
    [
        ({"cpu": 9}, "a trial asks for cpu: 9, and this machine has cpu: 8, gpu: 2"),
        ({"licence": 1}, "a trial asks for licence: 1, and this machine has cpu: 8, gpu: 2"),
        ({"gpu": 1.5}, "more than one GPU can only be had whole"),
        ({"cpu": -1}, "'cpu' is -1: a resource is a number, 0 or more"),
        ({"cpu": math.nan}, "'cpu' is nan"),
        ({"cpu": "many"}, "'cpu' is 'many'"),
    ],
)
def test_what_can_never_be_had_is_refused_with_what_there_is(need, words):
    assert words in ledger({"cpu": 8, "gpu": 2}, {"cpu": 1}).refusal(need)


@pytest.mark.parametrize(
    ("named", "ids"), [("", []), ("-1", []), ("0", ["0"]), ("2, 5", ["2", "5"]), ("GPU-1f,MIG-2", ["GPU-1f", "MIG-2"])]
)
def test_the_gpus_are_those_that_cuda_visible_devices_names(monkeypatch, named, ids):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == ids


def test_else_they_are_those_that_nvidia_smi_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    tool = tmp_path / "nvidia-smi"
    lines = ["GPU 0: H200 (UUID: GPU-1)", "  MIG 1g Device 0: (UUID: MIG-1)", "GPU 1: H200 (UUID: GPU-2)"]
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    tool.chmod(0o755)
    assert visible_gpus() == ["0", "1"]
