"""log: every logger hears every event, at least once and in order, whatever happens to the others."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeLogger, FakeSearcher


class Breaks(FakeLogger):
    """Fails in one hook, at the first event of a kind."""

    def __init__(self, hook, kind=None):
        super().__init__()
        self.hook, self.kind, self.calls, self.torn_down = hook, kind, 0, 0

    def fail(self, hook):
        if hook == self.hook:
            self.calls += 1
            raise RuntimeError(f"no {hook} today")

    @mt.hookimpl
    def setup(self):
        self.fail("setup")

    @mt.hookimpl
    def on_start(self):
        self.fail("on_start")

    @mt.hookimpl
    def on_result(self):
        self.fail("on_result")

    @mt.hookimpl
    def decide(self):
        self.fail("decide")

    @mt.hookimpl
    def on_end(self):
        self.fail("on_end")

    @mt.hookimpl
    def log(self, run, event):
        if event.kind == self.kind:
            self.fail("log")
        super().log(run, event)

    @mt.hookimpl
    def teardown(self):
        self.torn_down += 1
        self.fail("teardown")


def seqs(logger):
    return [event.seq for event in logger.events]


def everything(journalled, **where):
    return [event.seq for event in journalled(**where)]


def test_a_logger_hears_every_event_in_order(tuner, journalled):
    logger = FakeLogger()
    tuner(loggers=[logger], num_samples=5, executor=FakeExecutor(workers=2)).fit()
    assert logger.events == journalled()
    assert seqs(logger) == list(range(1, len(logger.events) + 1))


def test_loggers_hear_in_the_order_in_which_they_were_given(tuner):
    heard = []

    class Named:
        def __init__(self, name):
            self.name = name

        @mt.hookimpl
        def log(self, event):
            heard.append((event.seq, self.name))

    tuner(loggers=[Named("first"), Named("second")]).fit()
    assert heard[:2] == [(1, "first"), (1, "second")]


# --- a logger that raises --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["log", "on_start", "on_result", "on_end", "decide"])
def test_a_broken_logger_does_not_stop_the_run(hook, tuner, caplog, journalled):
    broken, fine = Breaks(hook, "result"), FakeLogger()
    results = tuner(loggers=[broken, fine], num_samples=3).fit()
    assert [trial.state for trial in results] == ["COMPLETED"] * 3
    assert broken.calls == 1
    assert broken.torn_down == 1
    assert seqs(fine) == everything(journalled)
    assert len([record for record in caplog.records if "It is called no more; the run goes on" in record.message]) == 1
    (fault,) = journalled("fault")
    assert fault.body["plugin"] == "logger 'Breaks'"
    assert fault.body["hook"] == hook
    assert f"logger 'Breaks' failed in {hook}" in fault.body["message"]
    assert f"RuntimeError: no {hook} today" in fault.body["message"]


def test_a_logger_that_refuses_in_setup_refuses_the_run(tuner):
    with pytest.raises(mt.PluginError, match="logger 'Breaks' failed in setup: RuntimeError: no setup today"):
        tuner(loggers=[Breaks("setup")]).fit()
    assert tuner().fit()[0].state == "COMPLETED"  # under the same name: there was no run yet


def test_a_logger_that_fails_in_teardown_is_told_of_and_hurts_nobody(tuner, caplog):
    first, second = Breaks("teardown"), Breaks("nowhere")
    assert tuner(loggers=[second, first]).fit()[0].state == "COMPLETED"
    assert "logger 'Breaks#2' failed in teardown: RuntimeError: no teardown today" in caplog.text
    assert second.torn_down == 1


def test_a_logger_that_fails_while_a_run_is_replayed_is_quarantined_too(scripted, restored, killed, journalled):
    run, executor = scripted(num_samples=3)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    image = killed(run)
    broken = Breaks("on_result")
    results = restored(folder=image, loggers=[broken]).fit()
    assert results[0].state == "COMPLETED"
    assert broken.calls == 1
    assert [event.body["hook"] for event in journalled("fault", folder=image)] == ["on_result"]


def test_the_others_hear_of_that_even_if_the_run_is_killed_again_at_once(scripted, restored, opened, killed):
    run, executor = scripted(num_samples=3)
    executor.reports("00000", 1, loss=1.0)
    run.step()
    image = killed(opened(restored(folder=killed(run), loggers=[Breaks("on_result"), FakeLogger()])))
    fine = FakeLogger()
    opened(restored(folder=image, loggers=[fine]))
    assert fine.kinds == ["fault", "changed", "interrupted"]


# --- at least once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3, 60, 120])
def test_after_a_kill_a_logger_hears_on_from_its_last_commit_and_misses_nothing(
    steps, tuner, opened, killed, restored, journalled
):
    logger = FakeLogger()
    run = opened(tuner(loggers=[logger], num_samples=60, executor=FakeExecutor(workers=3)))
    for _ in range(steps):
        run.step()
    image, before = killed(run), seqs(logger)
    again = FakeLogger()
    restored(folder=image, loggers=[again], num_samples=61).fit()
    assert sorted({*before, *seqs(again)}) == everything(journalled, folder=image)
    assert seqs(again) == sorted(set(seqs(again)))
    if steps == 120:
        assert seqs(again)[0] > 100  # and not everything from the beginning


def test_after_an_orderly_end_nothing_is_heard_twice(tuner, restored, journalled):
    first, second = FakeLogger(), FakeLogger()
    tuner(loggers=[first], time_budget_s=3).fit()
    restored(loggers=[second], time_budget_s=100).fit()
    assert seqs(first) + seqs(second) == everything(journalled)


def test_after_an_error_nothing_that_was_committed_is_missed(tuner, restored, journalled):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def on_result(self, trial):
            if trial.number == 1:
                raise ValueError("one is not my number")

    first, second = FakeLogger(), FakeLogger()
    with pytest.raises(mt.PluginError):
        tuner(loggers=[first], searcher=Broken(), num_samples=2).fit()
    restored(loggers=[second]).fit()
    assert seqs(first) + seqs(second) == everything(journalled)


def test_a_logger_that_is_new_on_a_resume_hears_everything(tuner, restored, journalled):
    class Newcomer(FakeLogger):
        pass

    old, new = FakeLogger(), Newcomer()
    tuner(num_samples=2, loggers=[FakeLogger()]).fit()
    restored(num_samples=4, loggers=[old, new]).fit()
    assert new.events == journalled()
    assert old.events == [event for event in journalled() if event.seq >= journalled("changed")[0].seq]


def test_a_logger_that_was_quarantined_hears_what_it_missed_once_it_is_back(tuner, restored, journalled):
    class Sometimes(FakeLogger):
        broken = True

        @mt.hookimpl
        def log(self, run, event):
            if self.broken and event.kind == "result":
                raise OSError("disk on fire")
            super().log(run, event)

    first, second = Sometimes(), Sometimes()
    tuner(loggers=[first], num_samples=200).fit()  # long enough for its position to be stored, were it not quarantined
    Sometimes.broken = False
    restored(loggers=[second]).fit()
    assert sorted({*seqs(first), *seqs(second)}) == everything(journalled)


def test_a_second_signal_amid_the_events_of_a_turn_loses_none_of_them(tuner, restored, journalled):
    class Interrupted(FakeLogger):
        signalled = True

        @mt.hookimpl
        def log(self, run, event):
            super().log(run, event)
            if self.signalled and event.kind == "result":
                Interrupted.signalled = False
                raise KeyboardInterrupt

    first, second = Interrupted(), Interrupted()
    with pytest.raises(KeyboardInterrupt):
        tuner(loggers=[first], num_samples=2).fit()
    restored(loggers=[second]).fit()
    assert sorted({*seqs(first), *seqs(second)}) == everything(journalled)
