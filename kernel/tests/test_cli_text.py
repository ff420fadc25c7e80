"""What the commands print can be shown on any terminal."""

from __future__ import annotations

import json

import pytest

from microtune.cli.text import plain, print_facts, print_json, print_table, print_text

HOSTILE = "\x1b[31mred\x07 \x9b2J \u202eturned\u2028 \ud800"


@pytest.mark.parametrize("text", ["größe = 1 → 2", "", "日本語 🎉"])
def test_what_can_be_printed_stays_as_it_is(text):
    assert plain(text) == text


def test_what_a_terminal_would_obey_is_spelled_out():
    assert plain(HOSTILE) == r"\x1b[31mred\x07 \x9b2J \u202eturned\u2028 \ud800"


@pytest.mark.parametrize(
    "printed",
    [
        lambda: print_table(["name", HOSTILE], [[HOSTILE, {"a": HOSTILE}]]),
        lambda: print_facts({HOSTILE: [HOSTILE]}),
        lambda: print_text(f"two\n{HOSTILE}"),
        lambda: print_json({HOSTILE: [HOSTILE]}),
    ],
    ids=["table", "facts", "text", "json"],
)
def test_whatever_is_printed_is_harmless(printed, capsys):
    printed()
    out = capsys.readouterr().out
    assert "turned" in out
    assert all(line.isprintable() for line in out.split("\n"))


def test_json_says_the_same_when_it_is_read(capsys):
    print_json({HOSTILE: [HOSTILE, "größe"]})
    out = capsys.readouterr().out
    assert "größe" in out
    assert json.loads(out) == {HOSTILE: [HOSTILE, "größe"]}
