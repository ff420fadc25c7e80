"""What TensorBoard shows of a trial: scalars, a row of the HParams table, and text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.summary_v2 import text_pb


def scalars(metrics: dict[str, Any]) -> Summary:
    """The numbers among the metrics, in single precision as TensorBoard keeps them; nested names joined with slashes."""
    summary = Summary()
    for name, value in dict(_flat(metrics)).items():
        if isinstance(value, (int, float)):
            summary.value.add(tag=_text(name), simple_value=_double(value))
    return summary


def session_start(session: str, config: dict[str, Any], at: float) -> Summary:
    """The config, as the row of this session in the HParams table.

    The columns are left to TensorBoard, which takes them from the rows. Declared ones (an Experiment of its API) it reads once
    and from one place, and then shows no metric that comes later, and no parameter that is computed or of another space.
    TensorBoard knows texts, numbers and booleans: a list is its JSON, None an empty cell, and a number that JSON lacks is a
    text, for TensorBoard's answers to the browser are JSON.
    """
    flat = ((_text(name), value) for name, value in _flat(config) if value is not None)
    return hparams_pb({name: _cell(value) for name, value in flat}, trial_id=session, start_time_secs=at)


def session_end(state: str, at: float) -> Summary:
    """How the trial ended: TensorBoard knows success and failure."""
    status = api_pb2.STATUS_FAILURE if state == "FAILED" else api_pb2.STATUS_SUCCESS
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=at))
    summary = Summary()
    summary.value.add(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(content),
        tensor=metadata.NULL_TENSOR,
    )
    return summary


def error(failure: dict[str, Any]) -> Summary:
    """The traceback, or what is known without one; indented, which Markdown shows as it is."""
    lines = _text(failure.get("traceback") or failure.get("message") or "").splitlines()
    quoted = "\n".join("    " + line for line in lines)
    return text_pb("error", f"**{_text(failure['kind'])}**\n\n{quoted}")


def joined(summaries: Iterable[Summary]) -> Summary:
    return Summary(value=[value for summary in summaries for value in summary.value])


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        number = _double(value)
        return number if math.isfinite(number) else str(value)
    return json.dumps(value)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond 1e308
        return math.inf if value > 0 else -math.inf


def _text(value: str) -> str:
    """Protocol buffers take no lone surrogates."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
