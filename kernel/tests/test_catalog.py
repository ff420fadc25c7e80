from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from microtune import __version__, catalog
from microtune.catalog import Entry
from microtune.faults import OptionError, PluginNotFound
from microtune.testing.dists import fake_dist


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path, and no other distribution."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "site-packages" not in p)])
    return tmp_path


def searchers(**points: str) -> dict[str, dict[str, str]]:
    return {"microtune.searchers": points}


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_every_plugin_is_listed_by_role_and_name(tmp_path: Path) -> None:
    fake_dist(
        tmp_path,
        "some-loggers",
        "2.0",
        {"microtune.loggers": {"b": "m:B", "a": "m:A"}, "console_scripts": {"x": "m:x"}},
    )
    fake_dist(tmp_path, "some-searcher", "1.5", searchers(s="m:S"), ["microtune-kernel>=0.1,<0.2", "numpy"])
    fake_dist(tmp_path, "unrelated", "3.0", {"console_scripts": {"y": "m:y"}})
    found = sorted(catalog.entries(distributions(path=[str(tmp_path)])), key=lambda entry: (entry.role, entry.name))
    assert found == [
        Entry("logger", "a", "some-loggers", "2.0", "m:A"),
        Entry("logger", "b", "some-loggers", "2.0", "m:B"),
        Entry("searcher", "s", "some-searcher", "1.5", "m:S", ("microtune-kernel>=0.1,<0.2", "numpy")),
    ]


def test_listing_imports_no_plugin(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(site, monkeypatch, "must_not_be_imported", "raise RuntimeError('imported')")
    fake_dist(site, "mine", "1.0", searchers(mine="must_not_be_imported:Mine"))
    assert [entry.name for entry in catalog.catalog()] == ["mine"]
    assert catalog.find("searcher", "mine").distribution == "mine"


def test_a_plugin_is_found_in_its_role_and_loaded(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(site, monkeypatch, "mine_searcher", "class Outer:\n    class Mine: pass\n")
    fake_dist(site, "mine", "1.0", searchers(mine="mine_searcher:Outer.Mine"))
    assert catalog.load(catalog.find("searcher", "mine")).__qualname__ == "Outer.Mine"
    with pytest.raises(PluginNotFound, match="no scheduler named 'mine'"):
        catalog.find("scheduler", "mine")


def test_of_two_copies_of_a_distribution_the_first_on_the_path_counts(tmp_path: Path) -> None:
    for folder, version in (("front", "2.0"), ("back", "1.0")):
        fake_dist(tmp_path / folder, "My_Plugin", version, searchers(mine="m:M"))
    path = [str(tmp_path / "front"), str(tmp_path / "back"), str(tmp_path / "front")]
    assert [entry.version for entry in catalog.entries(distributions(path=path))] == ["2.0"]


def test_an_unknown_name_is_answered_with_the_nearest_installed_ones(site: Path) -> None:
    fake_dist(site, "mine", "1.0", searchers(bayes="m:B", random="m:R"))
    with pytest.raises(PluginNotFound) as caught:
        catalog.find("searcher", "bayess")
    assert str(caught.value) == (
        "no searcher named 'bayess' is installed (did you mean 'bayes'?); installed are bayes, random; "
        "a class is written package.module.Class"
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("pbt", "pip install microtune-schedule-pbt"),
        ("pb2", "pip install 'microtune-schedule-pbt[pb2]'"),  # it comes with pbt
        ("optuna", "pip install microtune-search-optuna"),
    ],
)
def test_an_unknown_name_of_ours_is_answered_with_the_pip_install_line(name: str, line: str, site: Path) -> None:
    with pytest.raises(PluginNotFound, match=rf"no scheduler named '{name}' is installed: {re.escape(line)}$"):
        catalog.find("scheduler", name)


def test_a_modifier_is_nothing_that_we_have_any_of(site: Path) -> None:
    with pytest.raises(PluginNotFound, match="no modifier named 'repeat' is installed, nor is any other; a class is written"):
        catalog.find("modifier", "repeat")


def test_where_no_plugin_of_the_role_is_installed_ours_are_listed(site: Path) -> None:
    with pytest.raises(
        PluginNotFound, match=r"ours are local, inline, ray, simulated: pip install microtune-execute-NAME"
    ):
        catalog.find("executor", "slurm")


def test_two_distributions_with_one_name_are_an_error_only_when_it_is_asked_for(site: Path) -> None:
    fake_dist(site, "one", "1.0", searchers(tpe="m:A", other="m:B"))
    fake_dist(site, "two", "2.0", searchers(tpe="m:C"))
    assert catalog.find("searcher", "other").distribution == "one"
    with pytest.raises(
        PluginNotFound, match=r"searcher 'tpe' is offered by one 1\.0 and two 2\.0: uninstall all but one"
    ):
        catalog.find("searcher", "tpe")


def test_a_plugin_for_another_kernel_is_refused_without_importing_it(site: Path) -> None:
    fake_dist(site, "old", "1.0", searchers(old="not_there:Old"), ["numpy>=1", "microtune-kernel>=9.1,<9.2"])
    with pytest.raises(PluginNotFound) as caught:
        catalog.find("searcher", "old")
    assert str(caught.value) == (
        f"the searcher 'old' of old 1.0 is for microtune-kernel >=9.1,<9.2, and this is {__version__}: "
        "pip install --upgrade old microtune-kernel"
    )


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        (f"microtune-kernel=={__version__}", True),
        ("microtune_kernel (<0.0.1)", False),
        ("Microtune.Kernel[testing]>=99", False),
        ("microtune-kernel", True),
        ('microtune-kernel[testing]>=99; extra == "testing"', True),
        ("microtune-kernel-something>=99", True),
    ],
)
def test_the_kernel_range_is_read_however_it_is_written(requirement: str, fits: bool) -> None:
    entry = Entry("searcher", "x", "x", "1.0", "m:X", (requirement,))
    assert (catalog.kernel_misfit(entry) is None) is fits


def test_a_plugin_that_cannot_be_imported_hurts_only_who_asks_for_it(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(site, monkeypatch, "broken_plugin", "import a_library_that_is_missing")
    write_module(site, monkeypatch, "leaving_plugin", "raise SystemExit(3)")
    write_module(site, monkeypatch, "sound_plugin", "class Sound: pass")
    points = searchers(
        broken="broken_plugin:X", leaving="leaving_plugin:X", sound="sound_plugin:Sound", gone="sound_plugin:Gone"
    )
    fake_dist(site, "some", "1.0", points)
    assert catalog.load(catalog.find("searcher", "sound")).__name__ == "Sound"
    with pytest.raises(PluginNotFound) as caught:
        catalog.load(catalog.find("searcher", "broken"))
    assert str(caught.value) == (
        "the searcher 'broken' of some 1.0 cannot be imported: ModuleNotFoundError: No module named 'a_library_that_is_missing'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(PluginNotFound, match=r"'leaving' of some 1\.0 cannot be imported: SystemExit: 3"):
        catalog.load(catalog.find("searcher", "leaving"))
    with pytest.raises(PluginNotFound, match="has no attribute 'Gone'"):
        catalog.load(catalog.find("searcher", "gone"))


def test_what_is_not_a_class_is_refused() -> None:
    with pytest.raises(OptionError, match="not a class"):
        catalog.load(Entry("searcher", "x", "x", "1.0", "json:dumps"))


def test_a_class_is_imported_by_its_path() -> None:
    assert catalog.import_class("pathlib.PurePath", "searcher").__name__ == "PurePath"
    with pytest.raises(PluginNotFound, match=r"the searcher 'not_there\.Mine' cannot be imported"):
        catalog.import_class("not_there.Mine", "searcher")


def test_importing_the_catalog_does_not_load_importlib_metadata() -> None:
    code = "import sys, microtune.catalog; assert 'importlib.metadata' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what is no part of a run ----------------------------------------------------------------------------------------


def test_a_tool_may_be_a_function_or_a_module(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_module(site, monkeypatch, "tools_of_test", "def figure(grid, *, log: bool = False): return grid, log\n")
    points = {"microtune.figures": {"my-figure": "tools_of_test:figure"}, "microtune.formats": {"f": "tools_of_test"}}
    fake_dist(site, "tools", "1.0", points)
    assert catalog.load_plugin("format", "f") is sys.modules["tools_of_test"]
    assert catalog.load_plugin("figure", "my-figure")(3, log=True) == (3, True)
    assert [entry.name for entry in catalog.installed("figure")] == ["my-figure"]
    with pytest.raises(PluginNotFound, match=r"no figure named 'my-figur' is installed \(did you mean 'my-figure'\?\)"):
        catalog.load_plugin("figure", "my-figur")
    with pytest.raises(OptionError, match=r"there is no role 'figures' \(did you mean 'figure'\?\); the roles are searcher"):
        catalog.installed("figures")
