"""A trial in a thread that moves only when it is told to."""

from __future__ import annotations

import threading

import pytest

import microtune as mt
from microtune.attempt import Assignment, Outcome, Terms
from microtune.stepping import TrialThread, Word

BOUND = 10  # seconds that nothing here should ever take


@pytest.fixture
def thread(tmp_path):
    """thread(trainable) is a TrialThread, closed when the test ends."""
    made = []

    def make(trainable):
        made.append(TrialThread(trainable, Terms(1, ("loss",))))
        return made[-1]

    make.task = lambda number=0, **config: Assignment(
        f"{number:05d}", number, 1, config, None, 0, {}, str(tmp_path / str(number))
    )
    yield make
    for one in made:
        assert one.close(BOUND)


def count(config):
    for i in range(config.get("to", 100)):
        mt.report(loss=i)


def test_a_trial_moves_from_word_to_word_and_not_by_itself(thread):
    steps = []

    def train(config):
        steps.append("a")
        mt.report(loss=1)
        steps.append("b")
        mt.report(loss=2, checkpoint=mt.checkpoint_dir())
        steps.append("c")
        return 3

    trial = thread(train)
    assert steps == []
    trial.begin(thread.task())
    assert trial.said(BOUND) == Word({"loss": 1}, 1, None)
    assert trial.said(0.05) is None
    assert steps == ["a"]
    trial.go()
    word = trial.said(BOUND)
    assert (word.metrics, word.iteration, word.checkpoint[-3:]) == ({"loss": 2}, 2, "2-1")
    trial.go()
    assert trial.said(BOUND) == Outcome({"loss": 3}, 3, None, None)
    assert steps == ["a", "b", "c"]


def test_one_thread_runs_one_trial_after_the_other(thread):
    threads = []

    def train(config):
        threads.append(threading.current_thread())
        return config["n"]

    trial = thread(train)
    for n in range(3):
        trial.begin(thread.task(n, n=n))
        assert trial.said(BOUND).metrics == {"loss": n}
    assert len(set(threads)) == 1


@pytest.mark.parametrize("decision", ["stop", "pause"])
def test_a_trial_leaves_when_it_is_told_to(thread, decision):
    trial = thread(count)
    trial.begin(thread.task())
    trial.said(BOUND)
    trial.go(decision)
    assert trial.said(BOUND) == Outcome(None, 1, None, None)


def test_a_trial_that_says_nothing_in_time_may_be_asked_again(thread):
    go_on = threading.Event()

    def slow(config):
        assert go_on.wait(BOUND)
        return 1

    trial = thread(slow)
    trial.begin(thread.task())
    assert trial.said(0) is None
    assert trial.said(0.02) is None
    go_on.set()
    assert trial.said(BOUND).metrics == {"loss": 1}


def test_a_failure_is_an_outcome_and_the_thread_goes_on(thread):
    def train(config):
        if config["fail"]:
            raise SystemExit(3)
        return 1

    trial = thread(train)
    trial.begin(thread.task(fail=True))
    assert trial.said(BOUND).failure.message == "SystemExit: 3"
    trial.begin(thread.task(fail=False))
    assert trial.said(BOUND).metrics == {"loss": 1}


# --- closing ---------------------------------------------------------------------------------------------------------


def test_a_thread_that_was_never_used_closes(thread):
    assert thread(count).close(0)


def test_closing_tells_a_waiting_trial_to_stop(thread):
    left = []

    def train(config):
        try:
            count(config)
        finally:
            left.append(True)

    trial = thread(train)
    trial.begin(thread.task())
    trial.said(BOUND)
    assert trial.close(BOUND)
    assert left == [True]


def test_closing_meets_a_moving_trial_at_its_next_report(thread):
    go_on, moving, left = threading.Event(), threading.Event(), []

    def train(config):
        moving.set()
        assert go_on.wait(BOUND)
        try:
            count(config)
        finally:
            left.append(True)

    trial = thread(train)
    trial.begin(thread.task())
    assert moving.wait(BOUND)
    assert not trial.close(0.02)
    go_on.set()
    assert trial.close(BOUND)
    assert left == [True]


@pytest.mark.parametrize("repeat", range(20))
def test_closing_right_behind_an_answer_is_no_race(thread, repeat):
    """The answer may be on its way to the trial, which has not taken it yet."""
    trial = thread(count)
    trial.begin(thread.task())
    if repeat % 2:
        trial.said(BOUND)
        trial.go()
    assert trial.close(BOUND)


def test_closing_twice_does_nothing_more(thread):
    trial = thread(count)
    trial.begin(thread.task(to=1))
    trial.said(BOUND)
    assert trial.close(BOUND)
    assert trial.close(BOUND)


def test_closing_cleans_up_the_object_that_was_kept_for_the_next_trial(thread):
    cleaned = []

    class Kept(mt.Trainable):
        def step(self):
            return {"loss": 1, "done": True}

        def reset_config(self, config):
            return True

        def cleanup(self):
            cleaned.append(threading.current_thread().name)

    trial = thread(Kept)
    for n in range(2):
        trial.begin(thread.task(n))
        while not isinstance(trial.said(BOUND), Outcome):
            trial.go()
    assert cleaned == []
    assert trial.close(BOUND)
    assert cleaned == ["microtune-trial"]


def test_a_report_from_a_thread_of_the_trial_takes_its_turn(thread):
    def train(config):
        helper = threading.Thread(target=lambda: mt.report(loss=1))
        helper.start()  # and leaves it: the end of the trial waits for the answer to it
        helper.join(config["patience"])

    trial = thread(train)
    for number, patience in enumerate((BOUND, 0.0)):
        trial.begin(thread.task(number, patience=patience))
        assert trial.said(BOUND) == Word({"loss": 1}, 1, None)
        trial.go()
        assert trial.said(BOUND) == Outcome(None, 1, None, None)


def test_the_kernels_own_thread_is_not_taken_for_the_trials(thread):
    trial = thread(count)
    trial.begin(thread.task())
    trial.said(BOUND)
    with pytest.raises(mt.MicrotuneError, match="no trial runs here"):
        mt.report(loss=1)
