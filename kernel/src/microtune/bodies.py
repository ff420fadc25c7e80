"""The body of an event as it is written down: strict JSON, with paths that move with the run."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from typing import Any, cast

_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def _to_text(body: dict[str, Any]) -> str:
    """What `_json.encode` does, without building its C encoder at every call: a third of the time for a small body."""
    return "".join(_chunks(body, 0))


def _chunks(body: dict[str, Any], level: int) -> Iterable[str]:
    return _json.iterencode(body)


if json.encoder.c_make_encoder is not None:  # type: ignore[attr-defined]
    _chunks = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
        None, _json.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
    )


def encode(body: dict[str, Any]) -> str:
    """Strict JSON; a number that JSON lacks is spelled {"$float": "nan" | "inf" | "-inf"}."""
    try:
        return _to_text(body)
    except ValueError:
        return _to_text(_spell(body))


def decode(text: str) -> dict[str, Any]:
    if '"$float"' in text:
        return cast("dict[str, Any]", json.loads(text, object_hook=_unspell))
    try:  # what `json.loads` does for a text without blanks at its ends, in half the time
        body, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return cast("dict[str, Any]", body if end == len(text) else json.loads(text))


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _spell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        return {key: _spell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spell(item) for item in value]
    return value


def _unspell(value: dict[str, Any]) -> Any:
    return float(value["$float"]) if len(value) == 1 and "$float" in value else value


# A checkpoint inside the run's folder is written down as "./trials/...", so that a run that was moved or is reached by
# another path still finds it.
_PATHS = frozenset({"path", "checkpoint", "instead"})


def relative(body: dict[str, Any], folder: str) -> dict[str, Any]:
    """The body as it is written down; it is not changed itself."""
    if _PATHS.isdisjoint(body):
        return body
    inside = {key: body[key] for key in _PATHS & body.keys() if str(body[key]).startswith(folder + os.sep)}
    return {**body, **{key: "." + path[len(folder) :] for key, path in inside.items()}}


def absolute(body: dict[str, Any], folder: str) -> dict[str, Any]:
    """The body as it was when it was recorded, if the run was where it is now."""
    if not _PATHS.isdisjoint(body):
        for key in _PATHS & body.keys():
            if str(body[key]).startswith("." + os.sep):
                body[key] = folder + body[key][1:]
    return body
