from __future__ import annotations

import functools
import threading

import pytest

from microtune import OptionError
from microtune_execute_local.shipping import pickled

LOCK = threading.Lock()


def uses_a_global(config):
    return [1 for _ in "x" if LOCK]


class Model:
    lock = LOCK

    def __call__(self, config):
        return 1.0

    def method(self, config):
        return 1.0


class Stateful:
    def __init__(self):
        self.settings = {"file": {"handle": LOCK}}

    def train(self, config):
        return 1.0


def closure():
    lock = threading.Lock()

    def train(config):
        return lock

    return train


def nested():
    lock = threading.Lock()

    def helper():
        def inner():
            return lock

        return inner

    def train(config):
        return helper()

    return train


def with_default(config, lock=LOCK):
    return lock


def not_the_default(config):
    return 1.0


not_the_default.lock = LOCK

CASES = [
    (closure(), "the trainable 'train' uses 'lock' (a _thread.lock)"),
    (nested(), "the trainable 'train' uses 'helper', which uses 'lock' (a _thread.lock)"),
    (uses_a_global, "the trainable 'uses_a_global' uses 'LOCK' (a _thread.lock)"),
    (with_default, "the trainable 'with_default' uses 'lock' (a _thread.lock)"),
    (not_the_default, "the trainable 'not_the_default' uses 'lock' (a _thread.lock)"),
    (Model, "the trainable 'Model' uses 'lock' (a _thread.lock)"),
    (Stateful().train, "uses 'self', which uses 'settings', which uses \"['file']\", which uses \"['handle']\""),
    (functools.partial(lambda config, lock: 1.0, lock=LOCK), "the trainable 'partial' uses 'lock' (a _thread.lock)"),
]


@pytest.mark.parametrize(("trainable", "words"), CASES, ids=range(len(CASES)))
def test_a_trainable_that_cannot_be_pickled_is_refused_with_the_object_to_blame(trainable, words):
    with pytest.raises(OptionError) as caught:
        pickled(trainable)
    assert words in str(caught.value)
    assert str(caught.value).endswith("which cannot be sent to a worker process: create it inside the function")


def test_what_cannot_be_explained_is_said_all_the_same():
    class Odd:
        def __reduce__(self):
            raise RuntimeError("not today")

        def __call__(self, config):
            return 1.0

    with pytest.raises(OptionError, match=r"the trainable 'Odd' cannot be sent to a worker process: RuntimeError: not today"):
        pickled(Odd())


def test_setup_refuses_it_and_leaves_nothing_behind(stage, alive, eventually):
    with pytest.raises(OptionError, match="uses 'LOCK'"):
        stage(uses_a_global)
    eventually(lambda: not alive())
