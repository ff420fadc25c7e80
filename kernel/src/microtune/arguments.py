"""The arguments of Tuner: checked, and spelled for the journal."""

from __future__ import annotations

import inspect
import operator
import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from microtune.catalog import is_known, load_plugin
from microtune.faults import OptionError, describe
from microtune.objective import Objective
from microtune.remote import is_url
from microtune.trainable import Trainable

_LOST = "$object"  # in the journal: a value that JSON cannot hold, by its repr

# --- checking --------------------------------------------------------------------------------------------------------


def resolve_trainable(trainable: Any) -> Any:
    """A function or class as it is, imported from "module:name", or made by a plugin from "NAME:text"."""
    found = _imported(trainable) if isinstance(trainable, str) else trainable
    if inspect.isclass(found) and not issubclass(found, Trainable):
        raise OptionError(f"trainable is the class {found.__qualname__}: derive it from Trainable, or give a function")
    if inspect.iscoroutinefunction(found):
        raise OptionError(f"trainable {found.__qualname__} is `async def`: give a plain function, which may call asyncio.run()")
    if not callable(found):
        raise OptionError(f"trainable is {found!r}: give a function of config, a Trainable class, or 'module:function'")
    return found


def _imported(text: str) -> Any:
    module, _, attribute = text.partition(":")
    if not module or not attribute:
        raise OptionError(f"trainable={text!r}: a trainable in text is 'module:function'")
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module and is_known("trainable", module):
            return load_plugin("trainable", module)(attribute)
        raise OptionError(f"trainable={text!r}: the module cannot be imported: {describe(error)}") from error
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise OptionError(f"trainable={text!r}: {error}") from error


def name_of(trainable: Any) -> str:
    """What the run is called that gets no other name."""
    return re.sub(r"\W+", "-", getattr(trainable, "__name__", type(trainable).__name__)).strip("-") or "run"


def spell(value: Any) -> Any:
    """A function or class by where it can be imported from, or as lost."""
    if isinstance(value, str):
        return value
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    imported = "microtune_parameters" not in getattr(value, "__dict__", {})  # which would be missing
    if imported and module and module != "__main__" and name.isidentifier():
        return f"{module}:{name}"
    return {_LOST: repr(value), "name": getattr(value, "__name__", type(value).__name__)}


def check_same(trainable: Any, before: Any, path: str) -> None:
    """OptionError where this trainable has another name than the one of the run, as `spell` has it."""
    old, new = _called(before), _called(spell(trainable))
    if old != new and "<lambda>" not in (old, new):  # which is no name
        raise OptionError(
            f"the run in {path!r} has tuned the trainable {old!r}, not {new!r}, whose results would be mixed with the old "
            f"ones: pass the same (it may have changed, and lie in another module), or tune {new!r} in a run of its own, "
            f"which can learn from this one by warm_start=[{path!r}]"
        )


def _called(spelled: Any) -> str:
    name: str = spelled["name"] if isinstance(spelled, dict) else spelled.rpartition(":")[2]
    return name


def to_json(value: Any) -> Any:
    """The argument as the journal keeps it; what JSON cannot hold is lost, but for its repr."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, type) and value.__module__ != "__main__" and value.__qualname__.isidentifier():
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {_LOST: repr(value)}


def is_lost(value: Any) -> bool:
    if isinstance(value, dict):
        return _LOST in value or any(is_lost(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(is_lost(item) for item in value)


def told(value: Any) -> str:
    """A value as it was before it was lost."""
    if isinstance(value, dict):
        inside = (f"{key!r}: {told(item)}" for key, item in value.items())
        return str(value[_LOST]) if _LOST in value else "{" + ", ".join(inside) + "}"
    return f"[{', '.join(map(told, value))}]" if isinstance(value, (list, tuple)) else repr(value)


def as_dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name} is {value!r}: it must be a dict")
    return dict(value)


def listed(name: str, value: Any, example: str) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise OptionError(f"{name}={value!r}: it must be a list, such as {example}")


def whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise OptionError(f"{name}={value!r}: it must be a whole number") from None


def positive(name: str, value: Any, *, whole: bool = False) -> None:
    if value is None and name != "grace_s":
        return
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
        what = "a whole number above zero" if whole else "a number of seconds above zero"
        raise OptionError(f"{name}={value!r}: it must be {what}" + ("; None means no limit" if name != "grace_s" else ""))


def resources(value: Any) -> dict[str, float]:
    """What a trial needs; where that is a function of the config, what one does that is not known yet."""
    given = {"cpu": 1.0} if value is None or callable(value) else as_dict(value, "resources")
    for key, amount in given.items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < float("inf"):
            raise OptionError(f"resources: {key!r} is {amount!r}; it must be a number, zero or more")
    return given


_MAGIC = "?*[]#"  # fsspec reads patterns and options from these


def remote_of(storage: Any, name: str) -> str | None:
    """The URL of this run's checkpoints, where its storage is a URL. No message holds what may be a secret."""
    if isinstance(storage, os.PathLike) and re.match(r"[a-z][a-z0-9+.-]+:/", os.fspath(storage)):
        raise OptionError(f"storage_path={storage!r} was a URL, of which Path keeps one slash only: give it as a string")
    if not is_url(storage):
        return None
    protocol, _, rest = storage.partition("://")
    told = f"storage_path='{protocol}://...'"
    if "@" in rest and ":" in rest.partition("@")[0]:
        raise OptionError(
            f"{told} holds a password, which would be written into the journal: leave out what stands before the @. fsspec "
            "takes credentials from the environment or from its own configuration, ~/.config/fsspec"
        )
    for text, what in ((storage, told), (name, f"name={name!r}, with a URL as the storage_path,")):
        if "::" in text or any(letter in text for letter in _MAGIC):
            raise OptionError(f"{what} must do without {' '.join(_MAGIC)} and ::, which fsspec takes for patterns and options")
    return f"{storage.rstrip('/')}/{name}"


_CHECKPOINT_KEYS = ("keep", "metric", "mode", "every", "at_end")


def checkpoints(value: Mapping[str, Any] | None, objective: Objective) -> dict[str, Any]:
    """With the mode, where a metric is named without one."""
    given = {} if value is None else as_dict(value, "checkpoints")
    for key in given:
        if key not in _CHECKPOINT_KEYS:
            raise OptionError(f"checkpoints has no key {key!r}: {', '.join(_CHECKPOINT_KEYS)}")
    for key, least in (("keep", 1), ("every", 0)):
        number = given.get(key)
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise OptionError(f"checkpoints: {key} is {number!r}; it must be a whole number, at least {least}")
    if not isinstance(given.get("at_end", False), bool):
        raise OptionError(f"checkpoints: at_end is {given['at_end']!r}; it must be True or False")
    metric, mode = given.get("metric"), given.get("mode")
    if metric is None and mode is not None:
        raise OptionError("checkpoints: mode goes with metric")
    if metric is not None:
        if given.get("keep") is None:
            raise OptionError("checkpoints: metric says which ones are kept; say with keep how many")
        if mode is None:
            own = dict(zip(objective.metrics, objective.modes, strict=True))
            if metric not in own:
                raise OptionError(f"checkpoints: metric {metric!r} is not the run's own: say mode 'min' or 'max' too")
            given["mode"] = own[metric]
        Objective(metric, given["mode"])
    return given
