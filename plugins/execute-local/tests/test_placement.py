from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import microtune as mt
from microtune import Continue, Exited, Limits, Pause, Stop


def wait_for_flag(config):
    """A trial that lasts as long as the test wants."""
    Path(config["folder"], f"began-{config['name']}").touch()
    while not Path(config["folder"], f"end-{config['name']}").exists():
        time.sleep(0.001)


def test_there_is_a_slot_for_each_trial_that_fits(stage):
    assert stage(lambda config: None, workers=3).slots == 3
    assert stage(lambda config: None, needs={"cpu": 0.5}).slots == 2 * len(os.sched_getaffinity(0))
    assert stage(lambda config: None, needs={"tokens": 1}, resources={"cpu": 8, "tokens": 3}).slots == 3


def test_a_worker_is_kept_warm(stage):
    s = stage(lambda config: os.getpid(), workers=1)
    trials = s.run_all([{}] * 5)
    assert len({s.results_of(trial)[0].metrics["loss"] for trial in trials}) == 1


def test_short_trials_are_asked_for_ahead_and_long_ones_are_not(stage):
    s = stage(lambda config: time.sleep(config["seconds"]), workers=2)
    assert s.slots == 2
    s.run_all([{"seconds": 0}] * 4)
    assert s.slots == 4  # two per worker: the current and the next one
    s.run_all([{"seconds": 0.15}] * 4)
    assert s.slots == 2


def test_prefetch_can_be_switched_off(stage):
    s = stage(lambda config: None, workers=2, prefetch=False)
    s.run_all([{}] * 4)
    assert s.slots == 2


def test_a_trial_queued_behind_a_long_one_goes_to_whoever_is_free(stage, eventually):
    s = stage(lambda config: wait_for_flag(config), workers=2, prefetch=True)
    folder = str(s.folder)
    long, short, behind_long, behind_short = (
        s.launch({"name": name, "folder": folder}) for name in ("long", "short", "behind_long", "behind_short")
    )
    for name in ("short", "behind_long", "behind_short"):
        (s.folder / f"end-{name}").touch()
    for trial in (short, behind_long, behind_short):
        assert s.exit_of(trial).failure is None
    assert not [r for r in s.reports if r.trial_id == long.id]
    (s.folder / "end-long").touch()
    assert s.exit_of(long).failure is None


def test_trials_start_in_the_order_of_launch_so_that_a_large_one_is_not_overtaken_for_ever(stage, eventually):
    s = stage(lambda config: wait_for_flag(config), resources={"cpu": 4})
    folder = str(s.folder)
    first = s.launch({"name": "first", "folder": folder}, resources={"cpu": 2})
    large = s.launch({"name": "large", "folder": folder}, resources={"cpu": 4})
    small = s.launch({"name": "small", "folder": folder}, resources={"cpu": 1})
    assert s.wait(0.1).slots == 3  # no more are wanted while some wait
    (s.folder / "end-small").touch()
    (s.folder / "end-first").touch()
    s.exit_of(first)
    eventually((s.folder / "began-large").exists)
    assert not (s.folder / "began-small").exists()
    (s.folder / "end-large").touch()
    for trial in (large, small):
        assert s.exit_of(trial).failure is None


def test_a_trial_that_is_told_to_leave_does_not_count_as_held(stage, eventually):
    def train(config):
        mt.report(loss=1.0)
        wait_for_flag(config)

    s = stage(train, workers=2)
    folder = str(s.folder)
    leaving, other = (s.launch({"name": name, "folder": folder}) for name in ("leaving", "other"))
    s.until(lambda: len(s.reports) == 2)
    eventually((s.folder / "began-leaving").exists)
    s.steer(leaving.id, Stop("a rung"))
    assert s.wait(0).slots == 1
    third = s.launch({"name": "third", "folder": folder})  # waits until the other one is out
    assert s.wait(0.05).slots == 2
    for name in ("leaving", "other", "third"):
        (s.folder / f"end-{name}").touch()
    for trial in (leaving, other, third):
        assert s.exit_of(trial).failure is None


def test_a_waiting_trial_that_is_told_to_leave_never_starts(stage):
    s = stage(lambda config: wait_for_flag(config), workers=1, prefetch=False)
    folder = str(s.folder)
    first, waiting = (s.launch({"name": name, "folder": folder}) for name in ("first", "waiting"))
    s.steer(waiting.id, Stop("the run is over"))
    assert s.exit_of(waiting).failure is None
    (s.folder / "end-first").touch()
    assert s.exit_of(first).failure is None
    assert not (s.folder / "began-waiting").exists()


def test_custom_resources_are_packed(stage):
    s = stage(lambda config: wait_for_flag(config), resources={"cpu": 100, "tokens": 3}, needs={"tokens": 1}, prefetch=False)
    assert s.slots == 3
    folder = str(s.folder)
    for i in range(3):
        s.launch({"name": i, "folder": folder}, resources={"tokens": 1.5 if i < 2 else 0.5})
    assert s.wait(0).slots == 3
    for i in range(3):
        (s.folder / f"end-{i}").touch()
    s.until(lambda: s.ended() == 3)
    assert s.slots == 3


def test_gpus_are_shared_by_fractions_and_a_worker_keeps_its_own(stage, monkeypatch, eventually):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")

    def train(config):
        seen = os.environ["CUDA_VISIBLE_DEVICES"]
        mt.report(loss=0.0, gpus=seen, pid=os.getpid())
        wait_for_flag(config)

    s = stage(train, resources={"cpu": 100}, needs={"cpu": 1, "gpu": 0.5})
    assert (s.slots, s.wait(0).capacity) == (4, {"cpu": 100.0, "gpu": 2.0})
    folder = str(s.folder)

    def seen(names, **fields):
        trials = [s.launch({"name": name, "folder": folder}, **fields) for name in names]
        s.until(lambda: all(s.results_of(trial) for trial in trials))
        for name in names:
            (s.folder / f"end-{name}").touch()
        for trial in trials:
            assert s.exit_of(trial).failure is None
        return [(s.results_of(trial)[0].metrics["gpus"], s.results_of(trial)[0].metrics["pid"]) for trial in trials]

    halves = seen("abcd")
    assert [gpu for gpu, _ in halves] == ["4", "4", "7", "7"]
    again = seen("efgh")
    assert sorted(again) == sorted(halves)
    ((both, pid),) = seen("i", resources={"gpu": 2})
    assert both == "4,7"
    assert pid not in dict(halves).values()
    ((none, _),) = seen("j", resources={"cpu": 1})
    assert none == ""


def test_gpus_are_left_alone_where_no_trial_asks_for_one(stage, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    s = stage(lambda config: {"loss": 0, "gpus": os.environ["CUDA_VISIBLE_DEVICES"]})
    trial = s.launch()
    s.exit_of(trial)
    assert s.results_of(trial)[0].metrics["gpus"] == "4,7"
    assert "gpu" not in s.wait(0).capacity


def test_three_thousand_trials_lose_nobody(stage):
    def train(config):
        if config["number"] % 7 == 0:
            mt.report(loss=0.5)
        return float(config["number"])

    s = stage(train, workers=3)
    trials = s.run_all([{"number": i} for i in range(3000)])
    last = {r.trial_id: r.metrics["loss"] for r in s.reports if not isinstance(r, Exited)}
    assert [last[trial.id] for trial in trials] == list(range(3000))


def test_limits_and_prefetch_go_together(stage):
    s = stage(lambda config: time.sleep(0.001), workers=2, limits=Limits(trial=5.0, report=5.0), prefetch=True)
    s.decide = lambda report: Continue()
    s.run_all([{}] * 200)
    assert all(exit.failure is None for exit in s.reports)


def test_an_idle_worker_that_dies_takes_no_trial_with_it(stage, eventually):
    s = stage(lambda config: os.getpid(), workers=1)
    first = s.launch()
    s.exit_of(first)
    pid = s.results_of(first)[0].metrics["loss"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    second = s.launch()  # nobody has noticed yet
    assert s.exit_of(second).failure is None
    assert s.results_of(second)[0].metrics["loss"] != pid


def test_a_trial_sent_ahead_to_a_worker_that_dies_is_run_elsewhere(stage, eventually):
    def train(config):
        Path(config["log"]).open("a").write(f"{config['name']}\n")
        while config["name"] == "first" and not Path(config["flag"]).exists():
            time.sleep(0.001)
        if config["name"] == "first":
            os.kill(os.getpid(), signal.SIGKILL)
        return 1.0

    s = stage(train, workers=1, prefetch=True)
    log, flag = s.folder / "log", s.folder / "flag"
    first, second = (s.launch({"name": name, "log": str(log), "flag": str(flag)}) for name in ("first", "second"))
    eventually(log.exists)
    flag.touch()
    assert s.exit_of(first).failure.kind == "lost"
    assert s.exit_of(second).failure is None
    assert log.read_text() == "first\nsecond\n"


def test_a_trial_sent_ahead_is_recalled_by_a_decision(stage, eventually):
    def train(config):
        Path(config["log"]).open("a").write("began\n")
        while not Path(config["flag"]).exists():
            time.sleep(0.001)

    s = stage(train, workers=1, prefetch=True)
    log, flag = s.folder / "log", s.folder / "flag"
    first, second = (s.launch({"log": str(log), "flag": str(flag)}) for _ in range(2))
    eventually(log.exists)
    s.steer(second.id, Pause("the run is over"))
    assert s.exit_of(second).failure is None
    flag.touch()
    assert s.exit_of(first).failure is None
    assert log.read_text() == "began\n"


def test_a_trial_behind_one_that_times_out_is_run_elsewhere(stage):
    def train(config):
        time.sleep(config["seconds"])

    s = stage(train, workers=1, prefetch=True, limits=Limits(trial=0.5))
    first, second = s.launch({"seconds": 600}), s.launch({"seconds": 0})
    assert s.exit_of(first).failure.kind == "timeout"
    assert s.exit_of(second).failure is None
