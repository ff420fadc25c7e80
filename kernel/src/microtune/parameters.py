"""What every trial gets beside its config: data, a tokenizer, a model to start from."""

from __future__ import annotations

import inspect
from typing import Any

from microtune.faults import OptionError


class Bound:
    """A function of config and these parameters as a function of config."""

    def __init__(self, bare: Any, parameters: dict[str, Any]) -> None:
        self.microtune_bare = bare
        self.microtune_parameters = parameters
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(bare, name):
                setattr(self, name, getattr(bare, name))

    def __call__(self, config: dict[str, Any]) -> Any:
        return self.microtune_bare(config, **self.microtune_parameters)


def with_parameters(trainable: Any, /, **parameters: Any) -> Any:
    """The trainable with these arguments beside its config: of the function, or of the class's `setup`.

    An executor with processes of its own sends them to each worker once, not with each trial, and what can be shared is:
    the memory of numpy arrays (those in pandas objects included) is mapped, read-only, and never copied. Do not change them.
    They are not in the journal: a run that is resumed is given the trainable again, with its parameters.

        Tuner(microtune.with_parameters(train, data=array), ...)    # def train(config, data): ...
    """
    # A worker, which only puts things together, does without these.
    from microtune.arguments import resolve_trainable
    from microtune.trainable import Trainable

    bare, before = taken_apart(resolve_trainable(trainable))
    called: Any = bare.setup if inspect.isclass(bare) else bare  # type: ignore[attr-defined]
    if called is Trainable.setup:
        wanted = f"setup(self, config, {', '.join(parameters)})"
        raise OptionError(f"with_parameters: {bare.__qualname__} has no {wanted} to get them: write one")
    _check(called, {**before, **parameters}, 2 if inspect.isclass(bare) else 1)
    return put_together(bare, {**before, **parameters})


def taken_apart(trainable: Any) -> tuple[Any, dict[str, Any]]:
    """The trainable as its author wrote it, and the parameters that it was given."""
    own = getattr(trainable, "__dict__", {})  # a class that is derived from one with parameters is its author's own
    parameters: dict[str, Any] = own.get("microtune_parameters", {})
    return own.get("microtune_bare", trainable), parameters


def put_together(bare: Any, parameters: dict[str, Any]) -> Any:
    if not parameters:
        return bare
    if not inspect.isclass(bare):
        return Bound(bare, parameters)
    original: Any = bare

    def setup(self: Any, config: dict[str, Any]) -> None:
        original.setup(self, config, **parameters)

    names = {name: getattr(bare, name) for name in ("__module__", "__qualname__", "__doc__")}
    more = {"setup": setup, "microtune_bare": bare, "microtune_parameters": parameters}
    return type(bare.__name__, (bare,), {**names, **more})


def _check(called: Any, parameters: dict[str, Any], own: int) -> None:
    """Now, and not in every trial."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # something built in
        return
    try:
        signature.bind(*[None] * own, **parameters)
    except TypeError as error:
        name = getattr(called, "__qualname__", called)
        given = ", ".join(["config", *(f"{each}=..." for each in parameters)])
        raise OptionError(f"with_parameters: {name}{signature} cannot be called with ({given}): {error}") from error
