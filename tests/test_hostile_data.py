"""No code in data: whoever looks at a run or goes on with it executes nothing of its folder, and writes nothing outside."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune.cli import main
from microtune.rows import to_row

MICROTUNE = os.path.join(sysconfig.get_path("scripts"), "microtune")  # `python -m` would begin with the working directory

WORK = """
import microtune as mt

def train(config):
    folder = mt.get_checkpoint()
    first = int((folder / "step").read_text()) if folder else 0
    for step in range(first + 1, 4):
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
            mt.report(loss=config["x"] / step, checkpoint=draft)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the user's own code is."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "work.py").write_text(WORK)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("work", None)


@pytest.fixture
def run(tmp_path: Path, code: Path) -> Path:
    """A run that is not over: one trial has ended, one is to be gone on with, and one has not begun."""
    import work

    tuner = mt.Tuner(
        "work:train", param_space={"x": mt.uniform(0, 1)}, metric="loss", mode="min", num_samples=3, seed=1, executor="inline",
        searcher="random", loggers=["csv", "json"], checkpoints={"keep": 2}, storage_path=tmp_path / "runs", name="run",
    )  # fmt: skip
    assert work.train is tuner.trainable
    session = tuner.open()
    path = tmp_path / "runs" / "run"
    while len(mt.ResultGrid(path).histories().get("00001", ())) < 2:
        assert session.step()
    session.close()
    assert [trial.state for trial in mt.ResultGrid(path)] == ["COMPLETED", "RUNNING"]
    return path


def go_on(run: Path, **changes: Any) -> mt.ResultGrid:
    return mt.Tuner.restore(run, **changes).fit()


# --- what lies in the folder -------------------------------------------------------------------------------------------

MODULES = [
    "sitecustomize", "usercustomize", "conftest", "work", "json", "csv", "sqlite3", "random", "pickle", "microtune", "pluggy",
    "cloudpickle", "pandas", "tomllib", "microtune_search_random", "microtune_execute_local", "microtune_log_csv", "_json",
    "signal", "select", "socket", "faulthandler",
]  # fmt: skip
PICKLES = [
    "journal.pkl", "tuner.pkl", "trainable.pkl", "space.pkl", "searcher.pkl", "run.pkl", "results.pickle", "state.json",
    "searcher-state.pkl", "trials/00000/params.pkl", "trials/00000/result.pkl", "trials/00001/checkpoints/evil.pkl",
]  # fmt: skip


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.marker), "w"))


def poison(folder: Path, marker: Path) -> None:
    """Whatever anybody may import or unpickle there touches the marker."""
    bad = f"open({str(marker)!r}, 'w').close()\nraise SystemExit('executed')\n"
    for name in MODULES:
        (folder / f"{name}.py").write_text(bad)
    (folder / "microtune").mkdir()
    (folder / "microtune" / "__init__.py").write_text(bad)
    for name in PICKLES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Payload(marker)))
    (folder / "evil.pth").write_text(f"import sys; open({str(marker)!r}, 'w')\n")
    info = folder / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: evil\nVersion: 1.0\nRequires-Dist: microtune-kernel\n")
    lines = [f"[microtune.{role}s]\nevil = work:train\n" for role in ("searcher", "logger", "executor")]
    (info / "entry_points.txt").write_text("\n".join(lines))


def test_a_pickle_that_is_opened_would_be_seen(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Payload(tmp_path / "marker")))
    pickle.loads((tmp_path / "evil.pkl").read_bytes()).close()
    assert (tmp_path / "marker").exists()


LOOKING = [["ls", ".."], ["show", "."], ["show", ".", "0"], ["best", "."], ["export", "."], ["plugins"]]
RESUMING = [["resume", ".", "--executor", name, "--num-samples", "4"] for name in ("inline", "local")]


@pytest.mark.parametrize("command", LOOKING + RESUMING, ids=" ".join)
def test_no_command_executes_anything_of_the_runs_folder_even_from_within(run, code, tmp_path, command):
    marker = tmp_path / "marker"
    poison(run, marker)
    ended = subprocess.run(
        [sys.executable, MICROTUNE, *command], cwd=run, env={**os.environ, "PYTHONPATH": str(code)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert not marker.exists()
    if command[0] == "resume":
        assert [trial.state for trial in mt.ResultGrid(run)] == ["COMPLETED"] * 4


def test_who_only_looks_executes_nothing_of_the_folder_that_he_stands_in(run, tmp_path):
    marker = tmp_path / "marker"
    shutil.copytree(run, tmp_path / "elsewhere" / "run")
    poison(tmp_path / "elsewhere", marker)
    for command in (["ls", "."], ["show", "run"], ["best", "run"], ["export", "run"]):
        ended = subprocess.run(
            [sys.executable, MICROTUNE, *command], cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert not marker.exists()


def test_a_script_executes_nothing_of_the_runs_folder_either(run, tmp_path):
    marker = tmp_path / "marker"
    poison(run, marker)
    before = list(sys.path)
    grid = mt.ResultGrid(run)
    assert len(grid.get_best_result().history) == 3
    assert [trial.state for trial in go_on(run, executor="local")] == ["COMPLETED"] * 3
    assert sys.path == before
    assert not marker.exists()


def test_a_function_is_imported_from_the_users_path_and_from_nowhere_else(run, code, tmp_path):
    (run / "work.py").write_text(WORK)
    (code / "work.py").unlink()
    ended = subprocess.run(
        [sys.executable, MICROTUNE, "resume", "."], cwd=run, env={**os.environ, "PYTHONPATH": ""}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "No module named 'work'" in ended.stderr


# --- what the journal says ---------------------------------------------------------------------------------------------


def forge(run: Path, kind: str, trial: str | None, change: Callable[[mt.Event], mt.Event]) -> None:
    """Change the events of this kind and trial, as somebody does who knows how they are written."""
    with sqlite3.connect(run / "journal.db") as db:
        rows = db.execute("SELECT seq, at, kind, trial, body FROM events").fetchall()
        for seq, at, its_kind, its_trial, text in rows:
            if kind in (its_kind, "any") and its_trial == trial:
                forged = to_row(change(mt.Event(seq, at, its_kind, its_trial, json.loads(text))), str(run))
                db.execute("DELETE FROM events WHERE seq = ?", (seq,))
                db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", forged)
    db.close()


@pytest.mark.parametrize(
    ("argument", "choice"),
    [
        ("searcher", "subprocess.Popen:args='touch MARKER',shell=true"),
        ("executor", "subprocess.Popen:args='touch MARKER',shell=true"),
        ("loggers", ["logging.FileHandler:filename='MARKER'"]),
        ("scheduler", "io.FileIO:file='MARKER',mode=w"),
        ("modifiers", ["tempfile.TemporaryDirectory:dir='MARKER'"]),
    ],
)
def test_a_journal_that_names_a_class_that_is_no_plugin_constructs_nothing(run, tmp_path, argument, choice):
    chosen = json.loads(json.dumps(choice).replace("MARKER", str(tmp_path / "marker")))

    def name_it(event: mt.Event) -> mt.Event:
        return event._replace(body={**event.body, "settings": {**event.body["settings"], argument: chosen}})

    forge(run, "opened", None, name_it)
    with pytest.raises(mt.OptionError, match=r"is no plugin|not a class"):
        go_on(run)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["../../../outside", "/tmp/outside", "..", "", "a/b", "a\n", "\x1b[31m", "x" * 300])
def test_a_trial_whose_id_is_no_name_of_a_folder_makes_a_damaged_journal(run, tmp_path, name):
    forge(run, "any", "00001", lambda event: event._replace(trial=name))
    before = everything(tmp_path, but=run)
    for use in (lambda: list(mt.ResultGrid(run)), lambda: go_on(run), lambda: go_on(run, executor="local:output=true")):
        with pytest.raises(mt.RunError, match="is damaged"):
            use()
    assert everything(tmp_path, but=run) == before


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """What is somebody else's: it looks like checkpoints."""
    folder = tmp_path / "victim"
    for name in ("1-1", "2-1", "3-1", ".draft-1-1-0", "thesis"):
        (folder / name).mkdir(parents=True)
        (folder / name / "step").write_text("1")
    (folder / "text").write_text("precious")
    (folder / "empty").touch()
    return folder


def everything(folder: Path, but: Path | None = None) -> dict[str, bytes | None]:
    found = [path for path in folder.rglob("*") if but is None or but not in (path, *path.parents)]
    return {str(path): path.read_bytes() if path.is_file() else None for path in found if "pycache" not in str(path)}


@pytest.mark.parametrize("where", ["../../victim/{}", "./../../victim/{}", "{absolute}/{}", "./trials/../../../victim/{}"])
def test_a_checkpoint_that_the_journal_puts_elsewhere_is_never_deleted(run, victim, where):
    def move(event: mt.Event) -> mt.Event:
        path = where.replace("{absolute}", str(victim)).format("1-1")
        key = "path" if event.kind == "checkpoint" else "checkpoint"
        return event._replace(body={**event.body, key: path}) if event.body["iteration"] == 1 else event

    before = everything(victim)
    for kind in ("checkpoint", "result"):  # of the trial that goes on: its next one crowds this one out
        forge(run, kind, "00001", move)
    assert {trial.state for trial in go_on(run)} == {"COMPLETED"}
    assert everything(victim) == before


@pytest.mark.parametrize("place", ["trials", "trials/00001", "trials/00001/checkpoints", "trials/00007/checkpoints"])
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_folder_that_leads_out_of_the_run_is_refused_and_nothing_happens_there(run, victim, place, executor):
    shutil.rmtree(run / place, ignore_errors=True)
    (run / place).parent.mkdir(exist_ok=True)
    (run / place).symlink_to(victim)
    before = everything(victim)
    with pytest.raises(mt.RunError, match="leads out of the run"):
        go_on(run, executor=executor)
    assert everything(victim) == before
    assert len(list(mt.ResultGrid(run))) == 2, "it can still be looked at"


@pytest.mark.parametrize("name", ["1-1", "2-1", "99-1", ".draft-1-1-0"])
def test_a_checkpoint_that_is_a_link_is_not_followed_by_what_deletes(run, victim, name):
    path = run / "trials" / "00001" / "checkpoints" / name
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to(victim / "1-1")
    before = everything(victim)
    assert {trial.state for trial in go_on(run)} == {"COMPLETED"}
    assert everything(victim) == before


@pytest.mark.parametrize("target", ["text", "empty", "nothing"])
@pytest.mark.parametrize("name", ["journal.lock", "results.csv", "events.jsonl", "trials/00001/output.txt"])
def test_a_file_of_the_run_that_is_a_link_writes_to_nobody_elses(run, victim, name, target):
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(victim / target)
    before = everything(victim)
    try:
        go_on(run, executor="local:output=true")
    except mt.MicrotuneError:
        pass  # it says so, or goes on without: either will do
    assert everything(victim) == before


def test_a_run_that_was_moved_to_another_disk_behind_a_link_goes_on(run, tmp_path):
    shutil.move(run, tmp_path / "disk")
    run.symlink_to(tmp_path / "disk")
    assert [trial.state for trial in go_on(run)] == ["COMPLETED"] * 3


@pytest.mark.parametrize("name", ["../up", "/tmp/x", "a/b", "..", ".", "a\nb", "\x1b[31mred", "nul\0", "turn\u202ed"])
def test_a_name_that_is_not_that_of_a_folder_is_refused(name, tmp_path):
    with pytest.raises(mt.OptionError, match="is the name of one folder"):
        mt.Tuner(lambda config: 1, param_space={"x": 1}, metric="loss", mode="min", name=name, storage_path=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- what is printed ---------------------------------------------------------------------------------------------------

EVIL = "\x1b]0;title\x07\x1b[31mred<script>alert(1)</script>\r\n\t =cmd|' /C calc' [bold]x[/] \x9b2J \u202e \u2028 \ud800 ,\"'"


def evil(config: dict[str, Any]) -> None:
    if mt.get_context().number == 1:
        raise ValueError(EVIL)
    mt.report({"loss": 1.0, EVIL: 2.0, "text": EVIL, "=1+1": "=1+1"})


@pytest.fixture
def evil_run(tmp_path: Path) -> Path:
    mt.Tuner(
        evil, param_space={"x": mt.grid_search([EVIL, "tame"]), EVIL: 1}, metric="loss", mode="min", executor="inline",
        stop=None, loggers=[], storage_path=tmp_path / "evil", name="run",
    ).fit()  # fmt: skip
    return tmp_path / "evil" / "run"


def is_tame(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


COMMANDS = [["ls", "{}/.."], ["show", "{}"], ["show", "{}", "0"], ["show", "{}", "1"], ["best", "{}"]]


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_that_a_terminal_would_obey_is_printed(evil_run, capsys, command, more):
    assert main([word.format(evil_run) for word in command] + more) == 0
    out, err = capsys.readouterr()
    assert out
    assert is_tame(out), ascii(out)
    assert is_tame(err)


def test_an_error_that_quotes_what_is_hostile_is_tame_too(evil_run, capsys):
    assert main(["show", str(evil_run), EVIL]) == 1
    assert is_tame(capsys.readouterr().err)


def test_json_gives_back_what_was_reported(evil_run, capsys):
    main(["show", str(evil_run), "0", "--json"])
    trial = json.loads(capsys.readouterr().out)
    assert trial["metrics"]["text"] == EVIL
    assert trial["config"]["x"] == EVIL


def test_an_export_gives_back_what_was_reported_formulas_included(evil_run, tmp_path):
    """A table for programs: nothing is put in front of what a spreadsheet might take for a formula, and the help says so."""
    assert main(["export", str(evil_run), "-o", str(tmp_path / "out.csv")]) == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    held = EVIL.replace("\ud800", "\\ud800")  # half a character cannot be written as UTF-8
    assert (first["text"], first["config/x"], first["=1+1"]) == (held, held, "=1+1")
    assert second["state"] == "FAILED"
    assert main(["export", str(evil_run), "--to", "json", "-o", str(tmp_path / "out.json")]) == 0
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))) == 2


def test_the_console_shows_nothing_that_a_terminal_would_obey(tmp_path, capsys):
    given: dict[str, Any] = {"metric": "loss", "mode": "min", "executor": "inline", "storage_path": tmp_path}
    space = {"x": mt.grid_search([EVIL, "tame"]), EVIL: 1}
    mt.Tuner(evil, param_space=space, loggers=["console:style=plain"], **given).fit()
    out, err = capsys.readouterr()
    assert "alert(1)" in out
    assert is_tame(out), ascii(out)
    assert is_tame(err)


def test_a_notebook_gets_no_html_of_the_trials(tmp_path):
    from rich.console import Console

    from microtune_log_console import ConsoleLogger

    class Kept(ConsoleLogger):
        """The console, with its table as a notebook shows it."""

        @mt.hookimpl
        def teardown(self, run: mt.Facts) -> None:
            console = Console(record=True, file=io.StringIO(), width=300, force_jupyter=False)
            console.print(self._view().draw(console.options))
            pages.append(console.export_html())
            super().teardown(run)

    pages: list[str] = []
    given: dict[str, Any] = {"metric": "loss", "mode": "min", "executor": "inline", "storage_path": tmp_path}
    mt.Tuner(evil, param_space={"x": mt.grid_search([EVIL, "tame"])}, loggers=[Kept(style="plain")], **given).fit()
    assert "alert(1)" in pages[0]
    assert "<script" not in pages[0]
