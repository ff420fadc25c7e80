"""import, and export to what is no table: through a format that a plugin brings, faked here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from microtune.cli import main
from microtune.testing import fake_dist

FORMAT = '''
"""One number a line."""

from microtune import PastTrial, Result, RunError, record_run

def write(grid, target, *, digits: int = 3):
    """digits: behind the point"""
    with open(target, "w") as file:
        file.writelines(f"{trial.metrics['loss']:.{digits}f}\\n" for trial in grid)

def read(source, path, *, mode: str = "min"):
    """mode: min or max"""
    with open(source) as file:
        losses = [float(line) for line in file]
    if not losses:
        raise RunError(f"{source} is empty")
    trials = [PastTrial({"x": loss}, results=[Result({"loss": loss}, 1, 0.0, 5.0)]) for loss in losses]
    record_run(path, metric="loss", mode=mode, trials=trials, source=source)
'''

Outcome = tuple[int, str, str]


@pytest.fixture
def microtune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command where the format `lines`, and others that lack something, are installed."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "lines_of_cli_test.py").write_text(FORMAT, encoding="utf-8")
    (tmp_path / "site" / "mute_of_cli_test.py").write_text('"""Nothing at all."""', encoding="utf-8")
    points = {"lines": "lines_of_cli_test", "mute": "mute_of_cli_test"}
    fake_dist(tmp_path / "site", "lines", "2.0", {"microtune.formats": points})
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.delitem(sys.modules, "lines_of_cli_test", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    Path("past.txt").write_text("0.5\n0.25\n", encoding="utf-8")

    def command(*argv: str) -> Outcome:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_what_is_imported_is_a_run_for_every_command(microtune: Callable[..., Outcome]) -> None:
    code, out, err = microtune("import", "past.txt", "--from", "lines")
    assert (code, err) == (0, "")
    assert "2 completed" in out
    assert json.loads(microtune("ls", "--json")[1])[0]["status"] == "finished"
    assert json.loads(microtune("best", "past", "--json")[1])["config"] == {"x": 0.25}
    assert "imported from past.txt" in microtune("show", "past")[1]
    assert len(microtune("export", "past")[1].splitlines()) == 3
    code, _, err = microtune("resume", "past")
    assert (code, "--warm-start" in err) == (1, True)


def test_the_name_the_storage_and_the_options_of_the_format_are_given(microtune: Callable[..., Outcome]) -> None:
    given = ["--name", "mine", "--storage-path", "deep/elsewhere", "--json"]
    code, out, _ = microtune("import", "past.txt", "--from", "lines:mode=max", *given)
    found = json.loads(out)
    assert (code, found["name"], found["mode"], found["best"]["config"]) == (0, "mine", "max", {"x": 0.5})
    assert os.path.exists("deep/elsewhere/mine/journal.db")


def test_a_run_is_exported_and_imported_again(microtune: Callable[..., Outcome]) -> None:
    microtune("import", "past.txt", "--from", "lines")
    assert microtune("export", "past", "--to", "lines:digits=1", "again.txt") == (0, "", "")
    assert Path("again.txt").read_text(encoding="utf-8") == "0.5\n0.2\n"
    assert microtune("import", "again.txt", "--from", "lines")[0] == 0


def test_a_table_may_be_written_to_a_target_too(microtune: Callable[..., Outcome]) -> None:
    microtune("import", "past.txt", "--from", "lines")
    assert microtune("export", "past", "trials.csv") == (0, "", "")
    assert Path("trials.csv").read_text(encoding="utf-8") == microtune("export", "past")[1]


def test_a_failed_import_leaves_nothing_behind(microtune: Callable[..., Outcome]) -> None:
    Path("past.txt").write_text("", encoding="utf-8")
    assert microtune("import", "past.txt", "--from", "lines") == (1, "", "microtune: error: past.txt is empty\n")
    assert not Path("runs").exists() or os.listdir("runs") == []


def test_nothing_is_imported_over_a_run_that_is_there(microtune: Callable[..., Outcome]) -> None:
    microtune("import", "past.txt", "--from", "lines")
    before = Path("runs/past/journal.db").read_bytes()
    code, _, err = microtune("import", "past.txt", "--from", "lines:mode=max")
    assert (code, "is there already" in err) == (1, True)
    assert Path("runs/past/journal.db").read_bytes() == before
    assert os.listdir("runs") == ["past"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["import", "past.txt", "--from", "mute"], "it cannot be imported"),
        (["import", "past.txt", "--from", "lines:modus=max"], "has no option 'modus' (did you mean 'mode'?)"),
        (["import", "/", "--from", "lines"], "give one with --name"),
        (["import", "past.txt", "--from", "lines", "--name", "a/b"], "it is the name of one folder"),
        (["export", "past", "--to", "mute"], "it cannot be written"),
        (["export", "past", "--to", "lines:digits=many", "x"], "the option 'digits' is 'many' (str) and must be int"),
        (["export", "past", "--to", "lines", "x", "--rows", "results"], "--rows belongs to a table"),
        (["export", "past", "--to", "xls"], "Without a plugin there are csv, json, parquet"),
        (["export", "past", "a.csv", "-o", "b.csv"], "say once where it goes"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(microtune: Callable[..., Outcome], argv: list[str], message: str) -> None:
    microtune("import", "past.txt", "--from", "lines")
    code, out, err = microtune(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_format_is_described_with_the_options_of_both_directions(microtune: Callable[..., Outcome]) -> None:
    lines = [line.split() for line in microtune("plugins", "lines")[1].splitlines()]
    assert ["mode", "str", "'min'", "min", "or", "max"] in lines
    assert ["digits", "int", "3", "behind", "the", "point"] in lines
