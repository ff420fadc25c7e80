"""What README.md shows, followed to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import microtune as mt

HOUSE = Path(__file__).parents[1]
README = (HOUSE / "README.md").read_text()
FENCE = re.compile(r"(?:^`(?P<file>[\w.]+)`\n\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    [text] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    return text


def snippets(title: str, language: str = "python") -> list[str]:
    return [match["text"] for match in FENCE.finditer(section(title)) if match["language"] == language]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    env = {**os.environ, "MICROTUNE_STORAGE": str(cwd / "runs"), **environment}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ten_lines_are_ten_lines_and_run(tmp_path):
    [code] = snippets("Ten lines")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    last_line = run(sys.executable, "-c", code, cwd=tmp_path).splitlines()[-1]
    assert last_line.startswith("{'lr': ")


def test_the_trainable_it_shows_goes_on_from_its_checkpoint(tmp_path):
    [code] = snippets("What a trainable may do")
    names: dict = {"mt": mt}
    exec(code, names)
    space = {"x": mt.uniform(0, 1)}
    tuner = mt.Tuner(
        names["train"], param_space=space, metric="loss", mode="min", executor="inline", loggers=[], storage_path=tmp_path,
        scheduler="asha:max_t=10,type=promotion", num_samples=8,
    )  # fmt: skip
    results = tuner.fit()
    promoted = [trial for trial in results if len(trial.history) > 1]
    assert promoted
    for trial in results:
        assert [row["loss"] for row in trial.history] == [1 / (epoch + 1) for epoch in range(len(trial.history))]


def test_the_space_functions_it_lists_exist():
    [names] = re.findall(r"bounds: `([a-z\s_]+)`", section("What a trainable may do"))
    assert len(names.split()) == 13
    assert all(callable(getattr(mt, name)) for name in names.split())


def test_it_lists_every_plugin():
    rows = re.findall(r"^\| (\w+) \| `([\w-]+)` \| `microtune-([\w-]+)` \|", section("Plugins"), re.MULTILINE)
    assert {folder for _, _, folder in rows} == {path.parent.name for path in HOUSE.glob("plugins/*/pyproject.toml")}
    for role, name, folder in rows:
        entry = (HOUSE / "plugins" / folder / "pyproject.toml").read_text().split(f'"microtune.{role}s"]\n')[1]
        assert entry.startswith(f"{name} = ")


def test_what_it_links_to_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (HOUSE / link).exists()] == []


@pytest.fixture(scope="module")
def five_minutes(tmp_path_factory):
    """The files of the section that teaches to write a plugin, installed beside what is installed here."""
    folder = tmp_path_factory.mktemp("recombine")
    files = {m["file"]: m["text"] for m in FENCE.finditer(section("Write a plugin in five minutes")) if m["file"]}
    assert set(files) == {"pyproject.toml", "microtune_search_recombine.py", "test_contract.py"}
    for name, text in files.items():
        (folder / name).write_text(text)
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "site", folder, cwd=folder)
    return folder


def test_the_plugin_it_teaches_is_found_with_its_options(five_minutes):
    microtune = Path(sys.executable).with_name("microtune")
    told = run(microtune, "plugins", "recombine", cwd=five_minutes, PYTHONPATH=str(five_minutes / "site"))
    assert "explore" in told
    assert "0.3" in told


def test_the_plugin_it_teaches_keeps_the_contract(five_minutes):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_contract.py"]
    told = run(*command, cwd=five_minutes, PYTHONPATH=str(five_minutes / "site"))
    assert int(re.findall(r"(\d+) passed", told)[0]) > 5


def test_the_plugin_it_teaches_tunes_with_a_scheduler_on_all_cores(five_minutes):
    code = """
import microtune as mt
results = mt.Tuner(
    lambda config: (config["x"] - 0.3) ** 2, param_space={"x": mt.uniform(0, 1), "y": mt.choice([1, 2, 3])},
    metric="loss", mode="min", num_samples=100, searcher="recombine:explore=0.5", scheduler="asha:max_t=4", seed=1, loggers=[],
).fit()
kept = [trial.config["x"] for trial in results]
print(len(kept), len(set(kept)), results.get_best_result().metrics["loss"])
"""
    told = run(sys.executable, "-c", code, cwd=five_minutes, PYTHONPATH=str(five_minutes / "site"))
    trials, different, loss = map(float, told.split())
    assert trials == 100
    assert different < 80, "it takes parameters from the best trial"
    assert loss < 0.01
