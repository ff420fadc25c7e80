from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microtune import ResultGrid, Tuner, __version__
from microtune.cli import exporting, importing, looking, main, plugins, repairing, running
from microtune.cli.arguments import _PLAIN, given
from microtune.faults import OptionError
from microtune.journal import Journal
from microtune.options import options_of

TRAINABLE = """
import os
import signal
import microtune

def train(config):
    for step in range(config.get("steps", 3)):
        microtune.report(loss=(config["x"] - 0.3) ** 2 + 1 / (step + 1), step=step, nested={"a": [step]})

def fail(config):
    raise ValueError("no good\\nat all")

def two(config):
    return {"a": config["x"], "b": 1 - config["x"], "c": float("nan")}

def kill(config):
    for step in range(3):
        if step == 1 and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), getattr(signal, config["signal"]))
        microtune.report(loss=step)

space = {"x": microtune.uniform(0, 1)}
"""

FAKES = ["--searcher", "microtune.testing.fakes.FakeSearcher", "--executor", "microtune.testing.fakes.FakeExecutor"]
RUN = ["run", "train_of_cli_test:train", "--space", "x=uniform(0, 1)", "--metric", "loss", "--mode", "min", *FAKES]

Outcome = tuple[int, str, str]


@pytest.fixture
def microtune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command in a folder of its own: (exit code, stdout, stderr)."""
    (tmp_path / "train_of_cli_test.py").write_text(TRAINABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "train_of_cli_test", raising=False)

    def command(*argv: str) -> Outcome:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return command


# --- run and resume --------------------------------------------------------------------------------------------------


def test_a_run_is_started_from_the_command_line_and_looked_at(microtune: Callable[..., Outcome]) -> None:
    code, out, err = microtune(*RUN, "--logger", "none", "--num-samples", "4", "--name", "first", "--seed", "1")
    assert (code, err) == (0, "")
    assert "4 completed" in out
    code, out, _ = microtune("ls")
    assert [line.split()[:2] for line in out.splitlines()] == [["NAME", "STATUS"], ["first", "finished"]]
    code, out, _ = microtune("show", "first")
    assert len([line for line in out.splitlines() if "completed" in line and "x=" in line]) == 4
    best = ResultGrid("runs/first").get_best_result()
    code, out, _ = microtune("best", "first")
    assert str(best.metrics["loss"]) in out
    assert str(best.config["x"]) in out


def test_a_run_answers_in_json(microtune: Callable[..., Outcome]) -> None:
    code, out, err = microtune(*RUN, "--num-samples", "2", "--name", "a", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert (answer["name"], answer["status"], answer["states"]) == ("a", "finished", {"COMPLETED": 2})
    assert answer["best"]["metrics"]["training_iteration"] == 3


def test_a_quiet_run_says_nothing(microtune: Callable[..., Outcome]) -> None:
    assert microtune(*RUN, "-q") == (0, "", "")


def test_a_run_is_started_from_a_file_whose_values_the_command_line_overrides(microtune: Callable[..., Outcome]) -> None:
    pytest.importorskip("tomllib")
    Path("folder").mkdir()
    Path("folder/run.toml").write_text(
        """
        logger = []
        [tuner]
        trainable = "beside_the_file:train"
        metric = "loss"
        mode = "min"
        num_samples = 7
        name = "from-file"
        max_concurrent_trials = "none"
        [space]
        x = "uniform(0, 1)"
        [searcher]
        name = "microtune.testing.fakes.FakeSearcher"
        [executor]
        name = "microtune.testing.fakes.FakeExecutor"
        workers = 3
        """,
        encoding="utf-8",
    )
    Path("folder/beside_the_file.py").write_text(TRAINABLE, encoding="utf-8")
    code, _, err = microtune("run", "folder/run.toml", "--num-samples", "2", "--option", "executor.workers=2")
    assert (code, err) == (0, "")
    settings = _settings("runs/from-file")
    assert settings["num_samples"] == 2
    assert settings["executor"] == "microtune.testing.fakes.FakeExecutor:workers=2"
    assert settings["max_concurrent_trials"] is None


def test_a_run_is_extended_and_its_plugin_options_changed(microtune: Callable[..., Outcome]) -> None:
    microtune(*RUN, "-q", "--num-samples", "2", "--name", "a")
    code, _, _ = microtune("resume", "a", "--num-samples", "5", "--option", "executor.workers=4")
    assert code == 0
    assert len(ResultGrid("runs/a")) == 5
    assert _settings("runs/a")["executor"] == "microtune.testing.fakes.FakeExecutor:workers=4"
    assert microtune("resume", "runs/a", "-q")[0] == 0


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_says_how_to_go_on_and_can(microtune: Callable[..., Outcome], name: str, code: int) -> None:
    command = [
        sys.executable, "-m", "microtune", "run", "train_of_cli_test:kill", "--space", f"signal={name}", "--metric", "loss",
        "--mode", "max", *FAKES, "--logger", "none", "--name", "a",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert "go on with `microtune resume " in done.stderr
    assert "Traceback" not in done.stderr
    assert microtune("ls")[1].splitlines()[1].split()[:2] == ["a", "interrupted"]
    assert microtune("resume", "a", "-q") == (0, "", "")
    assert ResultGrid("runs/a").get_best_result().metrics["loss"] == 2


def test_a_run_whose_trials_all_fail_exits_with_1_and_shows_the_first_error(microtune: Callable[..., Outcome]) -> None:
    argv = ["train_of_cli_test:fail" if part.endswith(":train") else part for part in RUN]
    code, _, err = microtune(*argv, "-q", "--num-samples", "2", "--name", "a")
    assert code == 1
    assert err.startswith("microtune: error: all 2 trials failed; the first: ValueError: no good at all")
    assert "ValueError: no good\nat all" in microtune("show", "a", "0")[1]


def test_a_run_that_was_killed_is_told_apart_from_one_that_goes_on(microtune: Callable[..., Outcome]) -> None:
    argv = ["train_of_cli_test:kill" if part.endswith(":train") else part for part in RUN]
    argv = ["signal=SIGKILL" if part.startswith("x=") else part for part in argv]
    done = subprocess.run([sys.executable, "-m", "microtune", *argv, "-q", "--name", "a"], timeout=60, check=False)
    assert done.returncode != 0
    assert microtune("ls")[1].splitlines()[1].split()[:2] == ["a", "killed"]


# --- show, best, export ----------------------------------------------------------------------------------------------


def test_a_trial_is_shown_by_its_number_with_all_its_results(microtune: Callable[..., Outcome]) -> None:
    microtune(*RUN, "-q", "--num-samples", "2", "--name", "a")
    code, out, _ = microtune("show", "a", "1", "--json")
    trial = json.loads(out)
    assert (code, trial["number"], [row["step"] for row in trial["history"]]) == (0, 1, [0, 1, 2])
    assert microtune("show", "a", trial["id"])[0] == 0
    assert "has no trial '7'" in microtune("show", "a", "7")[2]


def test_the_best_of_several_metrics_is_the_pareto_front(microtune: Callable[..., Outcome]) -> None:
    argv = ["run", "train_of_cli_test:two", "--space", "train_of_cli_test:space", "--metric", "a", "--metric", "b"]
    microtune(*argv, "--mode", "min", "--mode", "min", *FAKES, "-q", "--num-samples", "3", "--name", "a")
    code, out, _ = microtune("best", "a", "--json")
    assert (code, len(json.loads(out))) == (0, 3)
    assert json.loads(microtune("best", "a", "--metric", "a", "--json")[1])["metrics"]["c"] == "NaN"
    code, _, err = microtune("best", "a", "--metric", "c", "--mode", "min")
    assert (code, "no trial has a finite 'c'" in err) == (1, True)


def test_a_run_is_exported_as_csv_and_json_without_losing_a_column(microtune: Callable[..., Outcome]) -> None:
    microtune(*RUN, "-q", "--num-samples", "2", "--name", "a", "--space", "kind=adam")
    rows = list(csv.DictReader(io.StringIO(microtune("export", "a")[1])))
    assert [row["number"] for row in rows] == ["0", "1"]
    assert {(row["config/kind"], row["nested/a"]) for row in rows} == {("adam", "[2]")}
    assert microtune("export", "a", "--to", "json", "--rows", "results", "-o", "out.json")[1] == ""
    results = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert [(row["number"], row["step"]) for row in results] == [(n, step) for n in (0, 1) for step in (0, 1, 2)]


def test_parquet_without_pandas_says_what_to_install(
    microtune: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    microtune(*RUN, "-q", "--name", "a")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert microtune("export", "a", "--to", "parquet")[0] == 2
    code, _, err = microtune("export", "a", "--to", "parquet", "-o", "out.parquet")
    assert (code, "pip install pandas pyarrow" in err) == (1, True)


def test_one_damaged_run_does_not_hide_the_others(microtune: Callable[..., Outcome]) -> None:
    microtune(*RUN, "-q", "--name", "sound")
    Path("runs/damaged").mkdir()
    Path("runs/damaged/journal.db").write_text("this is no database, whatever its name says", encoding="utf-8")
    code, out, err = microtune("ls", "runs")
    assert (code, "sound" in out, "damaged" in err) == (0, True, True)


def test_a_run_that_never_began_says_so(microtune: Callable[..., Outcome]) -> None:
    Journal(os.path.join(os.environ["MICROTUNE_STORAGE"], "a"), create=True).close()  # killed before its first event
    assert microtune("ls")[1].splitlines()[1].split()[:2] == ["a", "empty"]
    for command in ("show", "best", "export", "resume"):
        code, _, err = microtune(command, "a")
        assert (code, "ended before it began" in err) == (1, True)


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run", "train_of_cli_test:train", "--space", "x=1", "--metric", "loss"], "microtune run needs --mode min or max"),
        (["run", "train_of_cli_test:train", "--metric", "loss", "--mode", "min"], "microtune run needs a space"),
        (["run", "none.toml"], "none.toml cannot be read"),
        ([*RUN, "--option", "max_t=3"], "write searcher.OPTION=VALUE"),
        ([*RUN, "--option", "scheduler.max_t=3"], "no scheduler is chosen: choose it with --scheduler NAME"),
        ([*RUN, "--option", "logger.csv.a=3"], "no logger 'csv' is chosen"),
        ([*RUN, "--option", "executor.workerz=3"], "has no option 'workerz' (did you mean 'workers'?)"),
        ([*RUN, "--scheduler", "asha:"], "a colon and no option after it"),
        (["best", "nothing"], "there is no run 'nothing'"),
        (["resume", "nothing"], "there is no run 'nothing'"),
        (["ls", "nowhere"], "there is no folder"),
        (["import", "nothing", "--from", "nobody"], "no format named 'nobody' is installed"),
    ],
)
def test_an_error_is_one_line_without_a_traceback(microtune: Callable[..., Outcome], argv: list[str], message: str) -> None:
    code, out, err = microtune(*argv, *(["-q"] if argv[0] == "run" else []))
    assert code in (1, 2)
    assert out == ""
    assert err.startswith("microtune: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_the_traceback_is_shown_when_asked_for(microtune: Callable[..., Outcome]) -> None:
    with pytest.raises(OptionError):
        microtune(*RUN, "--scheduler", "asha:", "--traceback")


@pytest.mark.parametrize(
    "argv",
    [
        [], ["fly"], ["run"], [*RUN, "--num-samples", "x"], [*RUN, "--time-budget", "soon"], [*RUN, "--resources", "cpu"],
        [*RUN, "--points-to-evaluate", "[1]"], [*RUN, "--mode", "best"], ["import", "a"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: microtune" in capsys.readouterr().err


# --- what there is ---------------------------------------------------------------------------------------------------


def test_every_argument_of_tuner_can_be_given() -> None:
    assert {*_PLAIN, "param_space"} == set(options_of(Tuner))


def test_arguments_are_given_as_tuner_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setitem(running.COMMANDS, "run", lambda arguments: seen.append(given(arguments)) or 0)
    text = (
        "run m:f --space x=1 --metric a --metric b --mode min --mode max --num-samples none --time-budget 1.5h --grace 90s "
        '--trial-timeout 10 --resources {"cpu":2,"gpu":0.5} --checkpoints keep=2,at_end=true --fail-fast --logger csv '
        "--logger json --scheduler none --max-concurrent 3"
    )
    assert main([*text.split(), "--stop", "a < 0.1 and b > 2", "--stop", '{"a": 3}', "--points-to-evaluate", '{"x": 2}']) == 0
    assert seen == [
        {
            "param_space": {"x": 1}, "metric": ["a", "b"], "mode": ["min", "max"], "num_samples": None, "time_budget_s": 5400.0,
            "grace_s": 90.0, "trial_timeout_s": 10.0, "resources": {"cpu": 2, "gpu": 0.5},
            "checkpoints": {"keep": 2, "at_end": True}, "fail_fast": True, "loggers": ["csv", "json"], "scheduler": None,
            "max_concurrent_trials": 3, "stop": ["a < 0.1 and b > 2", {"a": 3}], "points_to_evaluate": [{"x": 2}],
        }
    ]  # fmt: skip


@pytest.mark.parametrize("family", [running, repairing, looking, exporting, importing, plugins])
def test_every_command_explains_itself_with_an_example(family: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for command in family.COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert f"  microtune {command} " in capsys.readouterr().out + " "


def test_python_m_microtune_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "microtune", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"microtune {__version__}"


def test_a_reader_that_has_enough_is_no_error(microtune: Callable[..., Outcome]) -> None:
    microtune(*RUN, "-q", "--num-samples", "200", "--name", "a", "--space", f"text={'x' * 2000}")
    command = [sys.executable, "-m", "microtune", "export", "a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert os.path.exists("runs/a")


def _settings(path: str) -> dict[str, Any]:
    grid = ResultGrid(path)
    len(grid)
    return grid.settings
