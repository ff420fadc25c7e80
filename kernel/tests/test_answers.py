from __future__ import annotations

import dataclasses
import pickle

import pytest

from microtune import answers
from microtune.answers import (
    Batch,
    Continue,
    Discard,
    Done,
    Exited,
    Failure,
    Pause,
    Reported,
    Resume,
    Start,
    Stop,
    StopRun,
    Wait,
)

TYPED = [
    Start({"x": 1}), Resume("00003"), Wait("the rung is not full"), Done("all were tried"), Continue(), Pause("rung 1"),
    Stop("enough"), Stop("enough", trial_id="00003"), StopRun("good enough"), Discard("s3://bucket/1-1"),
]  # fmt: skip
REPORTS = [
    Failure("error", "ValueError: no"), Reported("00003", 1, 5.0, {"loss": 1}, 2), Exited("00003", 1, 5.0),
    Batch(5.0, [], 2, {"cpu": 2.0}),
]  # fmt: skip


@pytest.mark.parametrize("answer", TYPED + REPORTS, ids=lambda answer: type(answer).__name__)
def test_an_answer_is_a_value(answer):
    assert pickle.loads(pickle.dumps(answer)) == answer
    names = getattr(answer, "_fields", None) or [field.name for field in dataclasses.fields(answer)]
    for name in names:
        with pytest.raises(AttributeError):
            setattr(answer, name, "changed")


def test_what_suggest_and_decide_may_answer():
    assert set(answers.Suggestion.__args__) == {Start, Resume, Stop, Wait, Done, StopRun}
    assert set(answers.Decision.__args__) == {Continue, Pause, Stop, StopRun}


def test_all_but_the_essential_has_a_default():
    start, resume = Start({"x": 1}), Resume("00003")
    assert (start.token, start.checkpoint, start.resources) == (None, None, None)
    assert (resume.config, resume.checkpoint, resume.resources) == (None, None, None)
    exited = Exited("00003", 1, 5.0)
    assert (exited.failure, exited.checkpoint, exited.iteration) == (None, None, None)
