"""The body of an event: strict JSON, and paths that move with the run."""

from __future__ import annotations

import json
import math

import pytest

from microtune.bodies import absolute, decode, encode, relative


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -0.0, 0.1 + 0.2, 2**70, "NaN"])
def test_every_number_comes_back_and_the_text_is_strict_json(value):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    text = encode({"a": {"b": [value, 1]}, "c": value})
    json.loads(text, parse_constant=refuse)
    assert repr(decode(text)) == repr({"a": {"b": [value, 1]}, "c": value})


def test_the_encoder_of_the_standard_library_writes_the_same(monkeypatch):
    """Where there is no C encoder, and so no short cut to it."""
    body = {"a": [1, 0.5, None, True, "\u00e9\n"], "b": {"c": {}, "d": []}, "e": 2**70}
    assert encode(body) == json.dumps(body, separators=(",", ":"))


def test_a_body_may_have_blanks_around_it():
    assert decode(' {"a": 1}\n') == decode('{"a":1}') == {"a": 1}


@pytest.mark.parametrize("text", ["", "{", '{"a":1}}', '{"a":1} {}', '{"a":', '{"$float":'])
def test_a_body_that_is_cut_or_too_long_is_refused(text):
    with pytest.raises(json.JSONDecodeError):
        decode(text)


@pytest.mark.parametrize("body", [{"a": {1, 2}}, {"a": object()}, {"a": [math.nan, object()]}])
def test_what_json_lacks_is_refused(body):
    with pytest.raises(TypeError, match="is not JSON serializable"):
        encode(body)


@pytest.mark.parametrize("key", ["path", "checkpoint", "instead"])
def test_a_path_inside_the_run_is_written_down_relative_to_it(key):
    body = {"iteration": 1, key: "/runs/a/trials/00000/checkpoints/1-1"}
    stored = relative(body, "/runs/a")
    assert stored == {"iteration": 1, key: "./trials/00000/checkpoints/1-1"}
    assert body[key].startswith("/runs/a")  # others have it too
    assert absolute(stored, "/elsewhere/b")[key] == "/elsewhere/b/trials/00000/checkpoints/1-1"


@pytest.mark.parametrize("path", ["/runs/another/1-1", "/runs/a-b/1-1", "s3://bucket/runs/a/1-1", None])
def test_any_other_path_stays_as_it_is(path):
    assert relative({"checkpoint": path}, "/runs/a") == {"checkpoint": path}
    assert absolute({"checkpoint": path}, "/runs/b") == {"checkpoint": path}
