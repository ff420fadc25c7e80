from __future__ import annotations

import signal
import time

import microtune as mt
from microtune import Continue, Limits


def test_a_trial_that_takes_too_long_is_killed_and_says_where_it_hung(stage):
    def train(config):
        if config.get("fine"):
            return 1.0
        mt.report(loss=1.0)
        the_place_where_it_hangs()

    def the_place_where_it_hangs():
        time.sleep(600)

    s = stage(train, limits=Limits(trial=0.5))
    trial = s.launch()
    failure = s.exit_of(trial).failure
    assert failure.kind == "timeout"
    assert failure.message == "trial t0 took longer than 0.5 s (trial_timeout_s)"
    assert "the_place_where_it_hangs" in failure.traceback
    assert s.exit_of(s.launch({"fine": True})).failure is None


def test_a_trial_that_ignores_sigterm_is_killed_all_the_same(stage):
    def train(config):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)

    s = stage(train, limits=Limits(trial=0.3))
    assert s.exit_of(s.launch()).failure.kind == "timeout"


def test_a_trial_that_reports_too_rarely_is_killed(stage):
    def train(config):
        for step in range(100):
            mt.report(loss=1.0)
            time.sleep(600 if step == 5 else 0.02)

    s = stage(train, limits=Limits(report=1.0))
    trial = s.launch()
    failure = s.exit_of(trial).failure
    assert failure.kind == "timeout"
    assert failure.message == "trial t0 reported nothing for 1 s (report_timeout_s)"
    assert len(s.results_of(trial)) == 6


def test_the_kernel_may_take_its_time_to_decide(stage):
    def train(config):
        mt.report(loss=1.0)
        mt.report(loss=0.5)

    s = stage(train, limits=Limits(report=0.3))
    trial = s.launch()
    while not s.reports:
        s.wait()
    assert s.wait(0.6).reports == []
    s.steer(trial.id, Continue())
    assert s.exit_of(trial).failure is None


def test_the_time_to_load_the_trainable_is_not_the_trials(stage, tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.7)\ndef train(config):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    from slow_to_import import train

    s = stage(train, limits=Limits(report=0.5, trial=0.5))
    assert s.exit_of(s.launch()).failure is None


def test_two_that_hang_are_told_apart(stage):
    def train(config):
        (here if config["where"] == "here" else there)()

    def here():
        time.sleep(600)

    def there():
        time.sleep(600)

    s = stage(train, limits=Limits(trial=0.4), workers=2)
    trials = [s.launch({"where": "here"}), s.launch({"where": "there"})]
    here_stack, there_stack = (s.exit_of(trial).failure.traceback for trial in trials)
    assert "in here" in here_stack
    assert "in there" not in here_stack
    assert "in there" in there_stack
