"""The trainable as bytes, and where that fails, which object is to blame."""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import cloudpickle

from microtune import OptionError, taken_apart


def pickled(trainable: Any) -> list[Any]:
    """The function or class, the parameters that it was given, and the memory that these share with all workers."""
    bare, parameters = taken_apart(trainable)
    shared: list[pickle.PickleBuffer] = []
    try:
        packed = [cloudpickle.dumps(bare), cloudpickle.dumps(parameters, protocol=5, buffer_callback=shared.append)]
        return packed + [each.raw() for each in shared]
    except Exception as error:
        raise OptionError(_explain(trainable, error)) from error


def _explain(trainable: Any, error: Exception) -> str:
    name = getattr(trainable, "__name__", type(trainable).__name__)
    steps, culprit = _culprit(trainable)
    if not steps:
        return f"the trainable {name!r} cannot be sent to a worker process: {type(error).__name__}: {error}"
    kind = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
    used = ", which uses ".join(repr(step) for step in steps)
    return (
        f"the trainable {name!r} uses {used} (a {kind}), which cannot be sent to a worker process: "
        "create it inside the function"
    )


def _culprit(thing: Any) -> tuple[list[str], Any]:
    """The names that lead from here to the object that cannot be pickled though all that it is made of can."""
    steps: list[str] = []
    seen = {id(thing)}
    while True:
        for name, part in _parts(thing):
            if id(part) not in seen and not _can_be_pickled(part):
                steps.append(name)
                seen.add(id(part))
                thing = part
                break
        else:
            return steps, thing


def _can_be_pickled(thing: Any) -> bool:
    try:
        cloudpickle.dumps(thing)
    except Exception:
        return False
    return True


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What goes with an object when it is pickled, and the names that its author knows the parts by."""
    thing, parameters = taken_apart(thing)
    yield from parameters.items()
    if inspect.ismethod(thing):
        yield "self", thing.__self__
        thing = thing.__func__
    if inspect.isfunction(thing):
        yield from _parts_of_function(thing)
    elif isinstance(thing, functools.partial):
        yield "partial.func", thing.func
        yield from ((f"partial.args[{i}]", value) for i, value in enumerate(thing.args))
        yield from thing.keywords.items()
    elif isinstance(thing, dict):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from ((f"[{i}]", value) for i, value in enumerate(thing))
    elif isinstance(thing, (staticmethod, classmethod)):
        yield thing.__func__.__name__, thing.__func__
    elif isinstance(thing, property):
        yield from ((name, part) for name in ("fget", "fset", "fdel") if (part := getattr(thing, name)) is not None)
    if not inspect.isfunction(thing):
        yield from ((name, value) for name, value in getattr(thing, "__dict__", {}).items() if name not in _OWN)
    if inspect.isclass(thing):
        yield from ((base.__name__, base) for base in thing.__bases__)


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            pass
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty:
            yield name, parameter.default
    yield from vars(function).items()


def _names(code: CodeType) -> Iterator[str]:
    """Names of globals (of attributes too) that a function uses, and the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


# A class's entries that are not its author's, and that cloudpickle leaves out.
_OWN = frozenset({"__dict__", "__weakref__", "__doc__", "__module__", "_abc_impl"})
