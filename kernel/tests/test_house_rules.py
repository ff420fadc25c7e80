"""The rules of the house, as far as they concern the kernel."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest

import microtune
from microtune import events, hookspecs

SRC = Path(microtune.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py"))

HEAVY = {"importlib.metadata", "sqlite3", "multiprocessing", "asyncio", "numpy", "pluggy", "json", "random", "inspect"}
# Beside the standard library and pluggy: what a part of the kernel needs that is there only if it is installed.
OPTIONAL = {
    "cli/recipe.py": {"tomli", "tomllib"},
    "remote.py": {"fsspec"},
    "results.py": {"pandas"},
    "testing/searcher.py": {"numpy"},
}


def imports(file, *, whole=True):
    """What a file imports, as dotted names; without `whole`, when it is imported itself."""
    tree = ast.parse((SRC / file).read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if whole else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module
            if node.module in ("microtune", "microtune.lifecycle"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES)
def test_the_kernel_imports_pluggy_and_the_standard_library(file):
    allowed = {*sys.stdlib_module_names, "microtune", "pluggy", *OPTIONAL.get(file, ())}
    if file.startswith("testing/"):
        allowed.add("pytest")
    assert {name.partition(".")[0] for name in imports(file)} <= allowed


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("lifecycle/")])
def test_the_lifecycle_does_not_know_who_drives_it(file):
    above = {"microtune.run", "microtune.tuner", "microtune.cli", "microtune.testing"}
    assert not above & set(imports(file))


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("testing/")])
def test_the_testing_kit_uses_public_names_only(file):
    private = {name for name in imports(file) if name.startswith("microtune.")} - {
        f"microtune.{name}" for name in microtune.__all__
    }
    assert {name for name in private if not name.startswith("microtune.testing")} == set()


def test_importing_microtune_loads_nothing_heavy(python):
    probe = python("import sys; before = set(sys.modules); import microtune; print(*(set(sys.modules) - before))")
    loaded = set(probe.stdout.split())
    assert "microtune" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("microtune.")}


def test_every_public_name_is_there(python):
    for name in microtune.__all__:
        assert getattr(microtune, name) is not None
    assert set(microtune.__all__) <= set(dir(microtune))
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = microtune.no_such_name


def test_type_checkers_see_the_same_public_names():
    tree = ast.parse((SRC / "__init__.py").read_text(encoding="utf-8"))
    (checking,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.asname for node in checking.body for alias in node.names]
    assert sorted([*seen, "__version__"]) == sorted(microtune.__all__)


# --- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_is_documented(hook):
    assert inspect.getdoc(getattr(hookspecs, hook))


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_is_tested(hook):
    implemented = re.compile(rf"@(mt\.)?hookimpl\n\s+def {hook}\(")
    where = [path.name for path in sorted(TESTS.glob("test_*.py")) if implemented.search(path.read_text(encoding="utf-8"))]
    assert where


@pytest.mark.parametrize("kind", events.KINDS)
def test_every_kind_of_event_is_documented(kind):
    assert re.search(rf"^{kind}\s+{{", events.__doc__, re.MULTILINE)


# --- files -----------------------------------------------------------------------------------------------------------


def where_tested(file):
    """Where the tests of a source file are."""
    folder, _, name = file.removesuffix(".py").rpartition("/")
    if folder == "cli":
        return "test_cli*.py"
    return f"test_testing_{name}.py" if folder == "testing" and name in CONTRACTS else f"test_{name}.py"


CONTRACTS = {"contract", "executor", "logger", "modifier", "scheduler", "searcher"}
TESTED_ELSEWHERE = {
    "schema.py": "test_journal.py",
    "__init__.py": "test_house_rules.py",
    "__main__.py": "test_cli.py",
    "annotations.py": "test_options.py",
    "lifecycle/__init__.py": "test_turn.py",
    "nodes.py": "test_tree.py",
    "testing/__init__.py": "test_testing_contract.py",
    "testing/bench.py": "test_testing_executor.py",
    "testing/dists.py": "test_catalog.py",
    "testing/errands.py": "test_testing_executor.py",
    "testing/spaces.py": "test_testing_searcher.py",
    "testing/suffering.py": "test_testing_executor.py",
    "testing/trainables.py": "test_testing_searcher.py",
    "testing/wounds.py": "test_testing_executor.py",
}


@pytest.mark.parametrize("file", FILES)
def test_every_source_file_has_a_test_file(file):
    assert list(TESTS.glob(TESTED_ELSEWHERE.get(file) or where_tested(file)))


@pytest.mark.parametrize("file", FILES)
def test_every_source_file_says_what_it_is_in_one_sentence(file):
    assert ast.get_docstring(ast.parse((SRC / file).read_text(encoding="utf-8")))
