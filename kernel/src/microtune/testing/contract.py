"""What every contract has: a plugin, how it is made, and the promise that none of its tests is left out."""

from __future__ import annotations

import inspect
import shutil
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

import pytest

from microtune import ResultGrid, Tuner

TURNS = 50_000  # no run of a contract needs a tenth of this


class Contract:
    """A conformance test. Subclass it in a test file as `TestContract`; every test may be xfail(reason=...), none deleted.

    plugin: the name under which the plugin is installed, or its class.
    options: those of the plugin for these tests. Override `make` where it needs more than options.
    """

    role: ClassVar[str]
    plugin: ClassVar[str | type[Any]]
    options: ClassVar[dict[str, Any]] = {}

    @classmethod
    def plugin_class(cls) -> type[Any]:
        if not isinstance(cls.plugin, str):
            return cls.plugin
        found = list(entry_points(group=f"microtune.{cls.role}s", name=cls.plugin))
        assert len(found) == 1, f"{len(found)} installed distributions offer the {cls.role} {cls.plugin!r}; there must be one"
        loaded: type[Any] = found[0].load()
        return loaded

    def make(self) -> Any:
        """A new plugin: one instance serves one run."""
        return self.plugin_class()(**self.options)

    # --- the tests that all roles share ------------------------------------------------------------------------------

    def test_no_test_of_the_contract_is_left_out(self) -> None:
        contract = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("microtune.testing."))
        for name in dir(contract):
            mine = getattr(type(self), name)
            if not name.startswith("test_") or mine is getattr(contract, name):
                continue
            marks = getattr(mine, "pytestmark", ())
            assert any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks), (
                f"{type(self).__name__}.{name} replaces a test of {contract.__name__}: mark it "
                f"@pytest.mark.xfail(reason=...) and call super().{name}(), so that the departure has a name"
            )

    def test_every_option_is_an_annotated_keyword(self) -> None:
        cls = self.plugin_class()
        if cls.__init__ is object.__init__:
            return
        first = 2 if self.role == "modifier" else 1  # self, and the searcher behind a modifier
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[first:]:
            # `**options` are those of something that is chosen by an option, and refused by it.
            keyword = parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
            assert keyword, f"option {parameter} of {cls.__name__} must be keyword-only"
            assert parameter.annotation is not parameter.empty, f"option {parameter} of {cls.__name__} has no annotation"

    def test_it_has_a_docstring_and_no_equality(self) -> None:
        cls = self.plugin_class()
        assert cls.__doc__, f"`microtune plugins` shows the docstring of {cls.__name__}: write one"
        comparing = [each.__name__ for each in cls.__mro__[:-1] if "__eq__" in vars(each)]
        assert comparing == [], "pluggy refuses two plugins that compare equal: define no __eq__"


def finish(tuner: Tuner) -> ResultGrid:
    """Like `fit`, but a run that would never end fails."""
    run = tuner.open()
    error: BaseException | None = None
    try:
        for _ in range(TURNS):
            if not run.step():
                break
        else:
            pytest.fail(f"the run is not over after {TURNS} turns; in each state are {run.counts}")
    except BaseException as problem:
        error = problem
        raise
    finally:
        run.close(error)
    return tuner.results()


def killed(tuner: Tuner, turns: int, folder: Path) -> Path:
    """The folder of this run as a SIGKILL after so many turns would leave it."""
    run = tuner.open()
    try:
        for _ in range(turns):
            if not run.step():
                break
        image = folder / "killed"
        # Workers of other processes are at work meanwhile; what they have not reported yet comes and goes.
        shutil.copytree(run.facts.path, image, ignore=shutil.ignore_patterns(".draft-*"))
    finally:
        run.close()
    return image
