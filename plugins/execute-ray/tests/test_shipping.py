from __future__ import annotations

import pickle
import sys
import threading
import types

import cloudpickle
import pytest
import ray

from microtune import OptionError, with_parameters
from microtune_execute_ray.shipping import fetched, shipped

pytestmark = pytest.mark.usefixtures("cluster")
LOCK = threading.Lock()


class Holder:
    def __init__(self):
        self.handle = LOCK


class Speechless:
    def __reduce__(self):
        raise RuntimeError("on purpose")


def uses_a_global(config):
    return [LOCK]


def nested():
    holder = Holder()

    def train(config):
        return holder

    return train


@pytest.mark.parametrize(
    ("trainable", "said"),
    [
        (uses_a_global, r"'uses_a_global' uses 'LOCK' \(a _thread.lock\)"),
        (nested(), r"'train' uses 'holder', which uses 'handle' \(a _thread.lock\)"),
        (Speechless(), "'Speechless' cannot be sent to a worker: RuntimeError: on purpose"),
    ],
    ids=["global", "nested", "itself"],
)
def test_the_culprit_is_named(trainable, said):
    with pytest.raises(OptionError, match=said):
        shipped(trainable)


def test_what_the_user_wants_pickled_by_value_is():
    module = types.ModuleType("only_here")
    exec("def train(config): return 7.0", module.__dict__)
    sys.modules["only_here"] = module
    cloudpickle.register_pickle_by_value(module)
    try:
        train = fetched(shipped(module.train))
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        ray.cloudpickle.unregister_pickle_by_value(module)
        del sys.modules["only_here"]
    assert train({}) == 7.0


class Array:
    """Bytes that offer their memory to pickle, as numpy's arrays do."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return type(self), (pickle.PickleBuffer(self.data),)


def look(config, array):
    view = memoryview(array.data)
    return view[0], len(view), view.readonly


def test_parameters_are_read_where_the_store_has_them():
    array = Array(bytearray(b"\x07" * 10_000_000))
    assert fetched(shipped(with_parameters(look, array=array)))({}) == (7, 10_000_000, True)


def test_a_parameter_that_cannot_be_sent_is_named():
    with pytest.raises(OptionError, match=r"the parameter 'array' of 'look' \(a _thread.lock\) cannot be sent to a worker"):
        shipped(with_parameters(look, array=LOCK))
