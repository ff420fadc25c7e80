"""The trainable in the object store, and where that fails, which object is to blame."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

import ray
from ray import cloudpickle

from microtune import OptionError, put_together, taken_apart


def shipped(trainable: Any) -> list[ray.ObjectRef[Any]]:
    """Put it into Ray's object store, once; every node that runs a trial fetches it once.

    As bytes, so that each worker gets an object of its own, as with other executors: an array out of the store itself is
    read-only, as those of `with_parameters` are. By Ray's pickler, which knows what to do with an ObjectRef or an actor that
    the trainable uses.
    """
    bare, parameters = taken_apart(trainable)
    _share_registry()
    try:
        pickled = cloudpickle.dumps(bare)
    except Exception as error:  # whatever the objects that it uses raise when they are pickled
        raise OptionError(_explain(bare, error)) from error
    for name, value in parameters.items():
        try:
            cloudpickle.dumps(value, protocol=5, buffer_callback=lambda buffer: None)
        except Exception as error:
            called = getattr(trainable, "__name__", type(bare).__name__)
            what = f"the parameter {name!r} of {called!r} (a {_kind(value)}) cannot be sent to a worker"
            raise OptionError(f"{what}: {type(error).__name__}: {error}") from error
    return [ray.put(pickled), ray.put(parameters)]


def fetched(trainable: list[ray.ObjectRef[Any]]) -> Any:
    bare, parameters = ray.get(trainable)
    return put_together(pickle.loads(bare), parameters)


def _share_registry() -> None:
    """Modules to be pickled by value, as the user has told cloudpickle: Ray has a copy of its own of that."""
    original = sys.modules.get("cloudpickle")
    if original is not None:
        for name in original.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(sys.modules[name])


def _explain(trainable: Any, error: Exception) -> str:
    name = getattr(trainable, "__name__", type(trainable).__name__)
    _, failures = ray.util.inspect_serializability(trainable, name=name, print_file=io.StringIO())
    culprit = next((failure for failure in failures if len(failure.path) > 1), None)
    if culprit is None:
        return f"the trainable {name!r} cannot be sent to a worker: {type(error).__name__}: {error}"
    used = ", which uses ".join(repr(step) for step in culprit.path[1:])
    kind = _kind(culprit.obj)
    return f"the trainable {name!r} uses {used} (a {kind}), which cannot be sent to a worker: create it inside the function"


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
