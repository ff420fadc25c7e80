"""What DESIGN promises about the house, read from its files."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import microtune
from microtune import hookspecs

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = pytest.importorskip("tomli")

HOUSE = Path(__file__).parents[1]
KERNEL = HOUSE / "kernel" / "src" / "microtune"
PLUGINS = sorted(path.parent for path in HOUSE.glob("plugins/*/pyproject.toml"))
THIRD_PARTY = HOUSE / "examples" / "third_party_searcher"
SOURCES = [*KERNEL.rglob("*.py"), *HOUSE.glob("plugins/*/src/**/*.py"), *HOUSE.glob("examples/*/src/**/*.py")]

GROUPS = {
    "search": "microtune.searchers",
    "schedule": "microtune.schedulers",
    "execute": "microtune.executors",
    "log": "microtune.loggers",
    "modify": "microtune.modifiers",
    "view": "microtune.commands",
    "convert": "microtune.formats",
}
TOOLS = {"microtune.trainables", "microtune.figures", "microtune.commands", "microtune.formats"}  # these have no hooks

# What a file of the kernel may import when it is asked for it, and say so plainly where it is missing.
OPTIONAL = {
    "cli/exporting.py": {"pandas"},
    "cli/recipe.py": {"tomli"},
    "remote.py": {"fsspec"},
    "results.py": {"pandas"},
    "testing/searcher.py": {"numpy"},
}

# Files over 300 lines, each with the reason.
LONG: dict[str, str] = {}


def name_of(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it) of every import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 1 and "tests" in path.parts:
                continue  # from the conftest beside it
            assert node.level == 0, f"{name_of(path)}:{node.lineno} imports by a relative name"
            yield node.module or "", tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            target = node.args[0]
            if isinstance(target, ast.Constant):
                yield target.value, ()


def distribution(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text())


# --- who may import what ---------------------------------------------------------------------------------------------


def test_the_kernel_imports_pluggy_and_the_standard_library():
    for path in KERNEL.rglob("*.py"):
        inside = path.relative_to(KERNEL)
        allowed = {"microtune", "pluggy"} | sys.stdlib_module_names | OPTIONAL.get(inside.as_posix(), set())
        if inside.parts[0] == "testing":
            allowed |= {"pytest"}
        for module, _ in imports(path):
            assert module.split(".")[0] in allowed, f"{name_of(path)} imports {module}"


def test_the_lifecycle_never_imports_what_is_built_on_it():
    files = list((KERNEL / "lifecycle").glob("*.py"))
    assert len(files) > 5
    for path in files:
        for module, names in imports(path):
            taken = {module, *(f"{module}.{name}" for name in names)}
            for above in ("microtune.run", "microtune.tuner", "microtune.cli"):
                assert not any(one == above or one.startswith(f"{above}.") for one in taken), f"{name_of(path)}: {taken}"


def uses_public_names_only(path: Path, own: str) -> None:
    """`microtune`'s own public names, `microtune.testing`, and what belongs to the package itself."""
    for module, names in imports(path):
        top = module.split(".")[0]
        if module == "microtune":
            private = [name for name in names if name != "testing" and name not in microtune.__all__]
            assert not private, f"{name_of(path)} takes {private} from microtune, which are not public"
        elif top == "microtune":
            assert module.startswith("microtune.testing"), f"{name_of(path)} imports {module}, which is private"
        elif top.startswith("microtune_"):
            assert top == own, f"{name_of(path)} imports another plugin, {module}"
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "microtune"
    }
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            public = node.attr in microtune.__all__ or node.attr == "testing"
            assert public, f"{name_of(path)}:{node.lineno} uses microtune.{node.attr}, which is not public"


@pytest.mark.parametrize("folder", [*PLUGINS, THIRD_PARTY], ids=lambda folder: folder.name)
def test_a_plugin_uses_public_names_only_and_no_other_plugin(folder):
    [package] = [path for path in (folder / "src").iterdir() if (path / "__init__.py").exists()]
    for path in package.rglob("*.py"):
        uses_public_names_only(path, package.name)
    for path in (folder / "tests").rglob("*.py"):
        for module, _ in imports(path):
            other = module.startswith("microtune_") and module.split(".")[0] != package.name
            assert not other, f"{name_of(path)} imports another plugin, {module}"


def test_the_testing_kit_uses_public_names_only():
    files = list((KERNEL / "testing").glob("*.py"))
    assert len(files) > 4
    for path in files:
        uses_public_names_only(path, "")


def test_importing_microtune_loads_nothing_heavy():
    heavy = ["importlib.metadata", "sqlite3", "multiprocessing", "asyncio", "numpy", "pluggy"]
    code = f"import sys; old = set(sys.modules); import microtune; print({{*sys.modules}} & {{*{heavy}}} - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- the hooks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_is_documented(hook):
    doc = getattr(hookspecs, hook).__doc__ or ""
    assert len(doc.split()) >= 5
    assert re.search(rf"\b{hook}\b", hookspecs.__doc__), f"the protocol at the top of hookspecs.py leaves out {hook}"


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_has_a_test_in_the_kernel(hook):
    for path in (HOUSE / "kernel" / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == hook:
                return
            if isinstance(node, ast.Constant) and node.value == hook:
                return
    pytest.fail(f"no test of the kernel implements or names the hook {hook}")


def test_the_list_of_hooks_is_complete():
    marked = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), f"{hookspecs.PROJECT}_spec")}
    assert marked == set(hookspecs.HOOKS)


# --- a plugin's folder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_folder_is_a_distribution_of_its_own(folder):
    module = f"microtune_{folder.name.replace('-', '_')}"
    for file in ("README.md", f"src/{module}/__init__.py", f"src/{module}/py.typed"):
        assert (folder / file).is_file(), f"{folder.name} has no {file}"
    project = distribution(folder)["project"]
    assert project["name"] == f"microtune-{folder.name}"
    assert project["license"] == "Apache-2.0"
    kernel = [need for need in project["dependencies"] if need.startswith("microtune")]
    assert kernel == ["microtune-kernel>=0.1,<0.2"]
    groups = project["entry-points"]
    assert next(iter(groups)) == GROUPS[folder.name.split("-")[0]]  # further ones: a library may serve several roles
    assert set(groups) <= {*GROUPS.values(), *TOOLS}
    assert all(entry.split(":")[0].split(".")[0] == module for group in groups.values() for entry in group.values())


def has_hooks(folder: Path) -> bool:
    return not set(distribution(folder)["project"]["entry-points"]) <= TOOLS


@pytest.mark.parametrize("folder", [*filter(has_hooks, PLUGINS), THIRD_PARTY], ids=lambda folder: folder.name)
def test_a_plugin_with_hooks_is_held_to_its_contract(folder):
    tests = "\n".join(path.read_text() for path in (folder / "tests").rglob("test_*.py"))
    assert re.search(r"class \w+\((Searcher|Scheduler|Executor|Logger|Modifier)Contract\)", tests)


def test_every_plugin_is_tested_alone_and_belongs_to_the_umbrella():
    names = {folder.name for folder in PLUGINS}
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(HOUSE / "tox.ini")
    own = {"lint", "kernel", "third-party", "together", "looking", "compositions"}
    assert set(tox["tox"]["env_list"].split()) - own == names
    umbrella = distribution(HOUSE)["project"]
    extras = [need for needs in umbrella["optional-dependencies"].values() for need in needs]
    needed = {re.split(r"[\[<>=]", need)[0] for need in [*umbrella["dependencies"], *extras]}
    assert needed == {"microtune-kernel", *(f"microtune-{name}" for name in names)}


def test_all_distributions_carry_one_version():
    folders = [HOUSE, HOUSE / "kernel", *PLUGINS]
    assert {distribution(folder)["project"]["version"] for folder in folders} == {microtune.__version__}


def test_the_checkout_installs_the_default_plugins():
    needed = distribution(HOUSE)["project"]["dependencies"]
    wanted = {need.split(">")[0].removeprefix("microtune-") for need in needed}
    lines = (HOUSE / "requirements.txt").read_text().splitlines()
    assert {Path(line.removeprefix("-e ")).name for line in lines if line.startswith("-e ")} == wanted


# --- the files -------------------------------------------------------------------------------------------------------


def test_no_source_file_is_long_without_a_reason():
    found = {name_of(path) for path in SOURCES if len(path.read_text().splitlines()) > 300}
    assert found == set(LONG)


def test_no_module_is_named_after_nothing():
    nothing = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    assert not [name_of(path) for path in SOURCES if path.stem in nothing]


def files_of_the_house() -> Iterator[Path]:
    """Every text file that is ours: not what git, tox, environments and tools leave in the folder."""
    for folder, folders, files in os.walk(HOUSE):
        inside = Path(folder)
        made = {"__pycache__", "build", "dist"}
        folders[:] = [
            name for name in folders
            if (not name.startswith(".") or name == ".ci") and name not in made
            and not name.endswith(".egg-info") and not (inside / name / "pyvenv.cfg").exists()
        ]  # fmt: skip
        yield from (inside / name for name in files if not name.endswith((".pyc", ".png", ".db", ".gz")))


def test_no_file_names_a_machine_or_a_registry():
    places = ["work", "root", "home", "opt", "Users", "tmp/venv"]
    hosts = ["pypi." + "org", "pythonhosted." + "org", "index-" + "url", "find-" + "links", "trusted-" + "host"]
    pattern = re.compile("|".join([rf"(?<![\w.>/])/({'|'.join(places)})/\w", *map(re.escape, hosts)]))
    files = list(files_of_the_house())
    assert len(files) > 80
    found = []
    for path in files:
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{name_of(path)}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    assert not found, "\n".join(found)
