from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import microtune.space
from microtune import choice, loguniform, quniform, randint, uniform
from microtune.cli.spaces import FUNCTIONS, parse_domain, parse_space, read_table
from microtune.faults import OptionError, SpaceError


def test_a_domain_in_text_is_what_its_function_returns() -> None:
    assert parse_domain("loguniform(1e-5, 1e-1)", "lr") == loguniform(1e-5, 1e-1)
    assert parse_domain(" uniform(lower=-1, upper=+1.5) ".replace("+", ""), "x") == uniform(-1, 1.5)
    assert parse_domain("choice([1, 'a', None, True, (2, 3)], weights=[1, 1, 1, 1, 2])", "x") == choice(
        [1, "a", None, True, [2, 3]], weights=[1, 1, 1, 1, 2]
    )


def test_a_choice_may_hold_branches_with_further_domains() -> None:
    text = "choice([{'kind': 'sgd', 'momentum': uniform(0, 1)}, {'kind': 'adam'}])"
    assert parse_domain(text, "x") == choice([{"kind": "sgd", "momentum": uniform(0, 1)}, {"kind": "adam"}])


@pytest.mark.parametrize(
    "domain", [loguniform(1e-5, 0.1), quniform(0, 0.5, 0.1), randint(1, 7), choice(["a", {"b": uniform(0, 1)}])]
)
def test_what_a_domain_prints_can_be_read_again(domain: Any) -> None:
    assert parse_domain(repr(domain), "x") == domain


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "choice([open('/etc/passwd')])",
        "uniform(0, (lambda: 1)())",
        "uniform(0, x)",
        "uniform(0, 2 ** 9)",
        "choice([c for c in 'ab'])",
        "choice(*[[1, 2]])",
        "uniform(0, 1).__class__()",
    ],
)
def test_nothing_is_evaluated(text: str) -> None:
    with pytest.raises(SpaceError, match="space: x"):
        parse_domain(text, "x")


def test_an_unknown_function_is_an_error_with_the_nearest() -> None:
    with pytest.raises(SpaceError, match=r"space: lr: 'logunifrom' is no space function \(did you mean 'loguniform'"):
        parse_space(["lr=logunifrom(1e-5, 1)"])


def test_sample_from_sends_its_reader_to_python() -> None:
    with pytest.raises(SpaceError, match="--space module:attribute"):
        parse_domain("sample_from(lambda config: 1)", "x")


@pytest.mark.parametrize(
    "text", ["loguniform(0, 1)", "uniform(1)", "uniform(0, 1, step=2)", "choice([])", "uniform(0, 1", "quniform(0, 1, 0.3)"]
)
def test_bad_bounds_name_the_parameter(text: str) -> None:
    with pytest.raises(SpaceError, match="space: lr"):
        parse_domain(text, "lr")


def test_the_command_line_holds_domains_constants_and_nested_names() -> None:
    texts = ["lr=loguniform(1e-5, 1e-1)", "epochs=10", "net/act=relu", "net/width=choice([64, 128])", "flag=true"]
    texts.append("list=['a', randint(0, 3)]")
    assert parse_space(texts) == {
        "lr": loguniform(1e-5, 1e-1),
        "epochs": 10,
        "net": {"act": "relu", "width": choice([64, 128])},
        "flag": True,
        "list": ["a", randint(0, 3)],
    }


@pytest.mark.parametrize(
    "texts", [["lr=1", "lr=2"], ["a=1", "a/b=2"], ["a/b=1", "a=2"], ["lr=1", "uniform(0, 1)"], ["lr="], ["lr"]]
)
def test_a_space_that_cannot_be_read_is_an_error(texts: list[str]) -> None:
    with pytest.raises(SpaceError, match="space"):
        parse_space(texts)


def test_a_space_may_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spaces_of_mine.py").write_text("space = {'x': 1}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert parse_space(["spaces_of_mine:space"]) == {"x": 1}
    with pytest.raises(OptionError, match="cannot be imported"):
        parse_space(["spaces_of_mine:other"])
    del sys.modules["spaces_of_mine"]


def test_in_toml_a_text_that_is_a_call_is_a_domain_and_all_else_a_constant() -> None:
    table = {"x": "uniform(0, 1)", "name": "adam", "n": 3, "net": {"layers": ["randint(1, 5)", 7, "text (no call)"]}}
    domains = {"x": uniform(0, 1), "name": "adam", "n": 3, "net": {"layers": [randint(1, 5), 7, "text (no call)"]}}
    assert read_table(table) == domains
    with pytest.raises(SpaceError, match="space: net/layers/0: 'randnit'"):
        read_table({"net": {"layers": ["randnit(1, 5)"]}})


def test_every_space_function_but_sample_from_can_be_written() -> None:
    public = {name for name in vars(microtune.space) if name in microtune.__all__ and name.islower()}
    assert public - {"sample_from"} == set(FUNCTIONS)
