from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from microtune.cli import main
from microtune.testing.dists import fake_dist

MODULE = '''
class Searcher:
    """Searches, for the tests.

    width: how far it looks
    """

    def __init__(self, *, width: int, depth: float = 0.5) -> None: ...
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path with one plugin, and no other distribution."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    (tmp_path / "plugin_of_cli_test.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "plugin_of_cli_test", raising=False)
    requires = ["microtune-kernel>=0.1"]
    fake_dist(tmp_path, "wide", "1.5", {"microtune.searchers": {"wide": "plugin_of_cli_test:Searcher"}}, requires)
    return tmp_path


def test_the_table_has_role_name_distribution_version_and_status(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split() == ["ROLE", "NAME", "DISTRIBUTION", "VERSION", "STATUS"]
    assert row.split() == ["searcher", "wide", "wide", "1.5", "installed"]
    assert "plugin_of_cli_test" not in sys.modules


def test_checking_imports_each_and_fails_if_one_is_broken(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "ok"
    fake_dist(site, "broken", "0.1", {"microtune.loggers": {"broken": "module_that_is_missing:X"}})
    assert main(["plugins", "--check"]) == 1
    out = capsys.readouterr().out
    assert "ok" in out
    assert "the logger 'broken' of broken 0.1 cannot be imported: ModuleNotFoundError" in out


def test_what_cannot_be_used_is_seen_without_importing_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_dist(site, "other", "2.0", {"microtune.searchers": {"wide": "m:X"}})
    fake_dist(site, "old", "3.0", {"microtune.searchers": {"old": "m:X"}}, ["microtune-kernel<0.0.1"])
    assert main(["plugins", "--json"]) == 1
    statuses = {(row["distribution"]): row["status"] for row in json.loads(capsys.readouterr().out)}
    assert "offered by other 2.0 and wide 1.5" in statuses["wide"]
    assert "is for microtune-kernel <0.0.1" in statuses["old"]


def test_a_name_shows_the_options_of_the_plugin(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "wide"]) == 0
    out = capsys.readouterr().out
    assert "Searches, for the tests." in out
    assert [line.split() for line in out.splitlines()[-3:]] == [
        ["OPTION", "TYPE", "DEFAULT"],
        ["width", "int", "(required)", "how", "far", "it", "looks"],
        ["depth", "float", "0.5"],
    ]
    assert main(["plugins", "wide", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["options"][1] == {
        "name": "depth", "type": "float", "required": False, "default": 0.5, "doc": "",
    }  # fmt: skip


def test_a_class_path_shows_its_options_too(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "plugin_of_cli_test.Searcher"]) == 0
    assert "width" in capsys.readouterr().out


def test_an_unknown_name_is_answered_with_the_nearest_or_the_pip_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "wid"]) == 2
    assert "no plugin named 'wid' is installed (did you mean 'wide'?); installed are wide" in capsys.readouterr().err
    assert main(["plugins", "optuna"]) == 2
    assert "the searcher 'optuna' is not installed: pip install microtune-search-optuna" in capsys.readouterr().err


# --- what plugins bring ----------------------------------------------------------------------------------------------

TOOLS = '''
"""Greet somebody.

examples:
  microtune greet you
"""

from microtune import RunError

def add_arguments(parser):
    parser.add_argument("whom")

def run(arguments):
    if arguments.whom == "nobody":
        raise RunError("there is nobody to greet")
    print("hello", arguments.whom)
    return 3

def figure(grid, *, log: bool = False):
    """A figure."""
'''


@pytest.fixture
def tools(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (site / "tools_of_cli_test.py").write_text(TOOLS, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "tools_of_cli_test", raising=False)
    points = {
        "microtune.commands": {"greet": "tools_of_cli_test", "broken": "no_such_module_at_all"},
        "microtune.figures": {"mine": "tools_of_cli_test:figure"},
    }
    fake_dist(site, "tools", "2.0", points, ["microtune-kernel>=0.1"])
    return site


def test_a_command_of_a_plugin_is_a_command(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["greet", "you"]) == 3
    assert capsys.readouterr().out == "hello you\n"
    assert main(["greet", "nobody"]) == 1
    assert capsys.readouterr().err == "microtune: error: there is nobody to greet\n"
    with pytest.raises(SystemExit):
        main(["greet", "--help"])
    told = capsys.readouterr().out
    assert "Greet somebody." in told
    assert "microtune greet you" in told


def test_help_lists_the_commands_of_plugins_and_imports_none(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    *_, first, second = capsys.readouterr().out.splitlines()
    assert (first.split(), second.split()) == (["broken", "tools", "2.0"], ["greet", "tools", "2.0"])
    assert "tools_of_cli_test" not in sys.modules


def test_a_command_that_cannot_be_imported_is_one_line(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["broken"]) == 2
    assert "the command 'broken' of tools 2.0 cannot be imported: ModuleNotFoundError" in capsys.readouterr().err


def test_a_function_and_a_module_are_described(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "mine"]) == 0
    told = capsys.readouterr().out
    assert "tools_of_cli_test.figure" in told
    assert ["log", "bool", "False"] in [line.split() for line in told.splitlines()]
    assert main(["plugins", "greet"]) == 0
    assert "Its options: microtune greet --help" in capsys.readouterr().out
    assert main(["plugins", "greet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["summary"] == "Greet somebody."
