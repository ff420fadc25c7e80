"""What a trial measured, as plain data."""

from __future__ import annotations

from typing import Any

from microtune.trial import lookup

COUNTED = ("training_iteration", "time_total_s")  # the kernel's own counters
_PLAIN = frozenset({int, float, str, bool, type(None)})


def plain_metrics(metrics: dict[str, Any], objective: tuple[str, ...] = ()) -> dict[str, Any]:
    """The metrics as plain JSON values; a TypeError that names the first one that cannot be."""
    clean = {}
    for key, value in metrics.items():
        if type(key) is not str:
            raise TypeError(f"the name of a metric is a string, not {key!r}")
        clean[key] = value if type(value) in _PLAIN else _plain(value, key)
    for key in COUNTED:
        if key in clean:
            raise ValueError(f"{key!r} is counted by microtune: report it under another name")
    for key in objective:
        value = lookup(clean, key, 0)
        if type(value) is not float and type(value) is not int:
            raise TypeError(
                f"metric {key!r} is {value!r} ({type(value).__name__}), not a number: it is the run's objective; "
                "report float('nan') where it has no value"
            )
    return clean


def _plain(value: Any, where: str) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise TypeError(f"metric {where!r} is a dict whose keys are not all strings")
        return {key: _plain(item, f"{where}/{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}/{i}") for i, item in enumerate(value)]
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    single = getattr(value, "size", None) == 1 or (callable(getattr(value, "numel", None)) and value.numel() == 1)
    if single and callable(getattr(value, "item", None)):  # numpy has a size, torch a numel()
        item = value.item()
        # numpy's longdouble is its own item
        return _plain(float(item) if type(item) is type(value) else item, where)
    raise TypeError(f"metric {where!r} is a {type(value).__name__}: report numbers, strings, booleans, lists or dicts of these")


def as_metrics(value: Any, objective: tuple[str, ...], how: str) -> dict[str, Any]:
    """A dict of metrics, or the value of the only one there is."""
    if isinstance(value, dict):
        return value
    if len(objective) == 1:
        return {objective[0]: value}
    raise TypeError(f"the trainable {how} {value!r}; with {len(objective)} metrics in the objective it must be a dict")
