"""Each example, run as its reader would run it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import microtune as mt

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A folder to stand in, where the runs go too."""
    monkeypatch.setenv("MICROTUNE_STORAGE", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def the_run(folder: Path) -> mt.ResultGrid:
    [path] = (folder / "runs").iterdir()
    return mt.ResultGrid(path)


def test_quickstart_finds_a_good_learning_rate(at_home):
    output = run(sys.executable, EXAMPLES / "quickstart.py")
    found = re.search(r"best of 50 trials: \{'lr': ([\d.e-]+), 'momentum': ([\d.e-]+)\}, loss ([\d.]+)", output)
    assert found
    lr, momentum, loss = map(float, found.groups())
    assert 1e-4 <= lr <= 1e-1
    assert 0 <= momentum <= 1
    assert loss == pytest.approx((lr - 0.01) ** 2 + momentum / 10, abs=1e-5)
    results = the_run(at_home)
    assert len(results) == 50
    assert sum(trial.metrics["training_iteration"] for trial in results) < 250, "ASHA stopped hardly anything early"


def accuracies(output: str) -> tuple[float, float]:
    validation = re.search(r"^validation accuracy ([\d.]+) after \d+ epochs$", output, re.MULTILINE)
    test = re.search(r"^test accuracy ([\d.]+), reloaded from (.+)$", output, re.MULTILINE)
    assert validation, output
    assert test, output
    assert (Path(test[2]) / "state.pt").is_file()
    return float(validation[1]), float(test[1])


def test_digits_learns_to_read_and_stops_most_trials_early(at_home):
    validation, test = accuracies(run(sys.executable, EXAMPLES / "digits.py"))
    assert validation > 0.9
    assert test > 0.9
    results = the_run(at_home)
    assert len(results) == 20
    assert not results.errors
    assert sum(trial.metrics["training_iteration"] < 20 for trial in results) >= 10
    assert {len(trial.checkpoints) for trial in results} == {1}, "keep=1"


def test_an_interrupted_digits_run_goes_on_where_it_was(at_home):
    with subprocess.Popen([sys.executable, EXAMPLES / "digits.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.match(r"trial \d+ ", line):  # the first one is over
                break
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode != 0
    before = the_run(at_home)
    heard = {trial.id: len(trial.history) for trial in before}
    assert before.closed is not None, "it was ended in order"
    assert not before.closed["finished"]

    accuracies(run(sys.executable, EXAMPLES / "digits.py", before.path))
    after = the_run(at_home)
    assert len(after) == 20
    assert not after.errors
    for trial in after:  # every epoch once: none is lost, and none is trained again
        assert [row["training_iteration"] for row in trial.history] == list(range(1, len(trial.history) + 1))
        assert len(trial.history) >= heard.get(trial.id, 0)


def test_compose_is_the_same_run_from_a_file(at_home):
    command = Path(sys.executable).with_name("microtune")
    run(command, "run", EXAMPLES / "compose.toml")
    results = the_run(at_home)
    assert len(results) == 20
    assert results.get_best_result().metrics["accuracy"] > 0.9
    assert list(Path(results.path).glob("*.csv"))
    composed = {plugin["role"]: plugin["name"] for plugin in results.settings["plugins"]}
    assert composed["scheduler"] == "asha"
    assert composed["executor"] == "local"
    told = run(command, "best", results.path)
    assert str(results.get_best_result().config["batch_size"]) in told


def test_the_file_and_the_script_compose_the_same_run():
    pytest.importorskip("torch")
    from microtune.cli.recipe import read_recipe

    sys_path = list(sys.path)
    try:
        recipe = read_recipe(os.fspath(EXAMPLES / "compose.toml"))
        import digits
    finally:
        sys.path[:] = sys_path
    assert mt.Space(recipe["param_space"]).to_json() == mt.Space(digits.SPACE).to_json()
    assert (recipe["metric"], recipe["mode"], recipe["num_samples"], recipe["seed"]) == ("accuracy", "max", 20, 1)
    assert recipe["scheduler"] == f"asha:max_t={digits.EPOCHS}"


def test_pbt_digits_compares_equal_budgets(at_home):
    output = run(sys.executable, EXAMPLES / "pbt_digits.py", "--schedule", at_home / "schedule.json")
    assert output.count("after 160 epochs") == 2
    assert float(re.search(r"median pbt +([\d.]+)", output)[1]) > 0.9
    assert json.loads((at_home / "schedule.json").read_text())[0][0] == 0
