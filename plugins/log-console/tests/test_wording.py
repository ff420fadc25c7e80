from __future__ import annotations

import pytest

from microtune_log_console.wording import clean, duration, first_line, number, one_line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (4.23, "4.2 s"),
        (9.97, "10 s"),
        (42, "42 s"),
        (59.7, "1:00"),
        (75, "1:15"),
        (3700, "1:01:40"),
        (1e5, "27:46:40"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.123456, "0.1235"),
        (1e-9, "1e-09"),
        (float("nan"), "nan"),
        (10**9, "1000000000"),
        (True, "True"),
        (None, "None"),
        ("x" * 99, "x" * 21 + "..."),
    ],
)
def test_numbers(value: object, words: str) -> None:
    assert number(value) == words


def test_nothing_that_a_terminal_obeys_is_left() -> None:
    assert clean("a\x1b[2J\r\n\u202eb\ud800ä") == "a\\x1b[2J\\r\\n\\u202eb\\ud800ä"


def test_a_config_is_one_line_with_its_nested_names_joined() -> None:
    config = {"lr": 0.012345, "opt": {"kind": "sgd\n", "none": {}}, "h": [64, 64]}
    assert one_line(config) == "lr=0.01235 opt/kind=sgd\\n opt/none={} h=[64, 64]"
    assert one_line(config, ("opt/kind",)) == "opt/kind=sgd\\n"


def test_of_a_long_message_the_first_line_is_shown_and_that_there_is_more() -> None:
    assert first_line("ValueError: x\n  y") == "ValueError: x ..."
    assert first_line("  \n") == "no message"
    assert len(first_line("x" * 5000)) == 300
