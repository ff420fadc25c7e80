from __future__ import annotations

import inspect
import sys
import textwrap
from pathlib import Path

import pytest

from microtune import Tuner, choice, loguniform, quniform, randint, uniform
from microtune.cli import recipe
from microtune.cli.recipe import read_recipe
from microtune.faults import OptionError
from microtune.options import check

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="the standard library reads TOML since Python 3.11")


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, text: str) -> str:
    path = folder / "run.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)


def test_the_example_in_the_documentation_is_read_as_it_says(tmp_path: Path) -> None:
    paragraphs = (inspect.getdoc(recipe) or "").split("\n\n")
    example = "\n".join(line for part in paragraphs if part.startswith("    ") for line in part.splitlines())
    arguments = read_recipe(write(tmp_path, example))
    space = arguments["param_space"]
    assert space == {
        "lr": loguniform(1e-5, 1e-1),
        "batch_size": choice([32, 64, 128]),
        "epochs": 10,
        "optimizer": choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam"}]),
        "network": {"layers": [randint(16, 65), randint(16, 65)], "dropout": quniform(0.0, 0.5, 0.1)},
    }
    plugins = {key: arguments[key] for key in ("searcher", "scheduler", "executor", "loggers", "modifiers")}
    assert plugins == {
        "searcher": "random", "scheduler": "asha:max_t=10,type=promotion", "executor": "local", "loggers": ["console", "csv"],
        "modifiers": ["dedup"],
    }  # fmt: skip
    assert arguments.pop("trainable") == "digits:train"
    check(Tuner, arguments, "the example")


def test_a_plugin_may_be_one_text_and_loggers_may_be_none(tmp_path: Path) -> None:
    arguments = read_recipe(write(tmp_path, 'scheduler = "asha:max_t=10"\nlogger = []\n[tuner]\nmetric = "loss"\n'))
    assert arguments == {"metric": "loss", "scheduler": "asha:max_t=10", "loggers": []}


def test_a_nested_plugin_is_a_text_in_an_option(tmp_path: Path) -> None:
    arguments = read_recipe(write(tmp_path, '[scheduler]\nname = "resources"\nbase = "asha:max_t=10,brackets=2"\n'))
    assert arguments["scheduler"] == 'resources:base="asha:max_t=10,brackets=2"'


def test_modules_beside_the_file_are_found_and_a_space_may_lie_in_one(tmp_path: Path) -> None:
    (tmp_path / "recipe_space.py").write_text("space = {'x': 1}", encoding="utf-8")
    assert read_recipe(write(tmp_path, '[tuner]\nparam_space = "recipe_space:space"')) == {"param_space": {"x": 1}}
    assert str(tmp_path) in sys.path
    del sys.modules["recipe_space"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedular]\nname = 'asha'", r"no table \[schedular\] \(did you mean 'scheduler'\?\)"),
        ("[scheduler]\nmax_t = 3", r"\[scheduler\] names no plugin"),
        ("scheduler = 3", r"\[scheduler\] is 3, not a table"),
        ("tuner = 3", r"\[tuner\] is 3, not a table"),
        ("[tuner\n", "is not TOML"),
        ("[tuner]\nsearcher = 'a'\n[searcher]\nname = 'b'", "searcher is given in .tuner. and by a table"),
        ("[searcher]\nname = 'a'\nwhen = 2020-01-01", "cannot be written as text"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read_recipe(write(tmp_path, text))


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        read_recipe(str(tmp_path / "none.toml"))
