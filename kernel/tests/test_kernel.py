"""The kernel's own verbs: write down, ask, tell, stop."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune import events as ev
from microtune.compose import EXECUTOR, LOGGER, SCHEDULER, SEARCHER, STOPPER, choose, compose
from microtune.facts import Facts, Limits
from microtune.journal import MEMORY, Journal
from microtune.kernel import LOGGED_EVERY, Kernel, Policy
from microtune.objective import Objective
from microtune.replay import State
from microtune.space import Space
from microtune.testing import FakeLogger
from microtune.trial import IllegalTransition


def kernel(*chosen):
    space, objective = Space({"x": mt.uniform(0, 1)}), Objective("loss", "min")
    facts = Facts("id", "run", "/nowhere", 1, space, objective, 1, Limits(), {"cpu": 1.0}, None)
    return Kernel(facts, compose([choose(*one) for one in chosen]), Journal(MEMORY, create=True), State(), Policy())


def created(k, number=0):
    return k.record(ev.CREATED, f"{number:05d}", {"number": number, "config": {"x": 0.5}})


class Answers:
    def __init__(self, name, calls, answer=None):
        self.name, self.calls, self.answer = name, calls, answer

    @mt.hookimpl
    def decide(self):
        self.calls.append(self.name)
        return self.answer

    @mt.hookimpl
    def on_end(self, trial):
        self.calls.append((self.name, trial.id))


def test_what_is_recorded_is_numbered_timed_and_applied_but_not_committed():
    k = kernel()
    k.now = 5.0
    trial = created(k)
    assert (trial.id, trial.state) == ("00000", "PENDING")
    k.record(ev.LAUNCHED, "00000", {"attempt": 1}, at=6.0)
    assert [(event.seq, event.at, event.kind) for event in k.journal.fresh] == [(1, 5.0, "created"), (2, 6.0, "launched")]
    assert list(k.journal.events()) == []
    k.commit()
    assert [event.seq for event in k.journal.events()] == [1, 2]
    assert k.journal.fresh == []


def test_an_event_that_the_fold_refuses_is_not_written_down():
    k = kernel()
    created(k)
    with pytest.raises(IllegalTransition, match="trial 00000 cannot go from PENDING to COMPLETED"):
        k.record(ev.ENDED, "00000", {"state": "COMPLETED", "reason": "magic"})
    k.record(ev.LAUNCHED, "00000", {"attempt": 1})
    k.commit()
    assert [(event.seq, event.kind) for event in k.journal.events()] == [(1, "created"), (2, "launched")]


def test_the_first_answer_that_is_not_none_wins_and_the_others_are_not_asked():
    calls = []
    k = kernel(
        (SEARCHER, Answers("searcher", calls, "too late")), (STOPPER, Answers("rule", calls)),
        (SCHEDULER, Answers("scheduler", calls, "yes")),
    )  # fmt: skip
    assert k.ask("decide", trial=None, result=None) == ("yes", "Answers")
    assert calls == ["rule", "scheduler"]
    assert kernel().ask("decide", trial=None, result=None) == (None, None)


def test_everyone_is_told_in_the_order_of_the_roles():
    calls = []
    roles = [LOGGER, EXECUTOR, SEARCHER, SCHEDULER, STOPPER]
    k = kernel(*((role, Answers(role, calls)) for role in roles))
    k.tell("on_end", trial=created(k))
    assert calls == [(role, "00000") for role in reversed(roles)]


def test_positions_of_loggers_are_stored_now_and_then():
    k = kernel((LOGGER, FakeLogger()))
    k.journal.set_loggers({"FakeLogger": 0})
    stored = []
    for number in range(3 * LOGGED_EVERY):
        created(k, number)
        k.commit()
        k.logged = number + 1
        stored.append(k.journal.loggers()["FakeLogger"])
    assert sorted(set(stored)) == [0, LOGGED_EVERY - 1, 2 * LOGGED_EVERY - 1, 3 * LOGGED_EVERY - 1]
    assert len(k.to_log) == 3 * LOGGED_EVERY


def test_without_loggers_nothing_waits_to_be_logged():
    k = kernel()
    created(k)
    k.commit()
    assert k.to_log == []


def test_the_first_reason_to_stop_counts():
    k = kernel()
    k.stop("first")
    k.stop("second")
    assert k.stop_reason == "first"


def test_draining_interrupts_what_runs_and_nothing_else():
    k = kernel()
    for number in range(3):
        created(k, number)
    for number in range(2):
        k.record(ev.LAUNCHED, f"{number:05d}", {"attempt": 1})
    k.record(ev.DECIDED, "00001", {"decision": "pause", "reason": "rung"})
    k.stop("enough")
    k.drain()
    assert [life.trial.state for life in k.state.lives.values()] == ["PENDING", "PAUSED", "PENDING"]
    assert k.leaving == {"00000": 1}
    assert [(trial.id, decision) for trial, decision in k.steers.values()] == [("00000", mt.Pause("enough"))]
    assert k.running == 0
