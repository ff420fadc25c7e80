"""The contract of a logger."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import microtune as mt
from microtune import Done, Facts, Modifier, ResultGrid, Start, Tuner, hookimpl, uniform
from microtune.testing.bench import PausesOnce
from microtune.testing.contract import Contract, finish, killed
from microtune.testing.errands import ODD
from microtune.testing.fakes import FakeExecutor, FakeLogger, FakeSearcher
from microtune.testing.spaces import SPACES
from microtune.testing.trainables import bowl, curve, loss_of, ragged_curve

Rows = list[tuple[str, int, Any]]


class LoggerContract(Contract):
    """What any logger keeps: it never raises, whatever is reported, and hears events twice without harm.

    Override `results` where the logger keeps a record, so that the record can be compared with the journal.
    """

    role = "logger"

    def results(self, path: Path) -> Rows | None:
        """(trial id, training_iteration, loss) of every result that it wrote about the run in this folder, in their order."""
        return None

    def tuner(self, trainable: Callable[..., Any], path: Path, *, workers: int = 2, **more: Any) -> Tuner:
        given = {
            "metric": "loss", "mode": "min", "num_samples": 8, "seed": 1, "storage_path": path, "name": "run",
            "searcher": FakeSearcher(), "executor": FakeExecutor(workers=workers), "loggers": [self.make()], **more,
        }  # fmt: skip
        space = given.pop("space", {"x": uniform(0, 1)})
        return Tuner(trainable, param_space=space, **given)

    def restore(self, path: Path, **changes: Any) -> Tuner:
        given = {"searcher": FakeSearcher(), "executor": FakeExecutor(workers=2), "loggers": [self.make()], **changes}
        return Tuner.restore(path, **given)

    def check(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Nobody complained, and its record is that of the journal."""
        complaints = [r.getMessage() for r in caplog.records if r.name == "microtune" and r.levelno >= logging.WARNING]
        assert complaints == []
        self.compare(self.results(path), path)

    def compare(self, written: Rows | None, path: Path) -> None:
        if written is not None:
            histories = ResultGrid(path).histories().items()
            journal = [(trial, row["training_iteration"], row.get("loss")) for trial, rows in histories for row in rows]
            assert _comparable(written) == _comparable(journal)

    # --- what may be reported ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("workers", [1, 3])
    def test_every_kind_of_event_is_taken(self, workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        listener = FakeLogger()
        tuner = self.tuner(
            ragged_curve, tmp_path, workers=workers, scheduler=PausesOnce(), stop={"training_iteration": 9},
            checkpoints={"keep": 1}, max_failures=1, loggers=[self.make(), listener],
        )  # fmt: skip
        finish(tuner)
        self.check(tmp_path / "run", caplog)
        assert {"created", "resumed", "launched", "checkpoint", "result", "decided", "interrupted", "ended", "deleted"} <= {
            *listener.kinds
        }

    def test_any_value_may_be_reported(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        finish(self.tuner(odd_values, tmp_path))
        self.check(tmp_path / "run", caplog)

    def test_new_metrics_may_come_at_any_time(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        finish(self.tuner(ever_new_names, tmp_path))
        self.check(tmp_path / "run", caplog)

    @pytest.mark.parametrize("name", ["odd names", "conditional in conditional", "choice of many types", "constants"])
    def test_any_config_may_be_tried(self, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        finish(self.tuner(bowl, tmp_path, space=SPACES[name]))
        self.check(tmp_path / "run", caplog)

    # --- when it hears it --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("turns", [1, 6, 25, 60])
    def test_a_killed_run_is_logged_on(self, turns: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        image = killed(self.tuner(curve, tmp_path), turns, tmp_path)
        finish(self.restore(image))
        self.check(image, caplog)

    @pytest.mark.parametrize("again", [0, 1, 7, 30])
    def test_the_same_events_may_come_twice(self, again: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        listener = FakeLogger()
        finish(self.tuner(ragged_curve, tmp_path / "told", loggers=[listener]))
        events, half = listener.events, len(listener.events) // 2
        facts = self._facts(tmp_path)
        first, second = Modifier(self.make()).inner, Modifier(self.make()).inner
        first.setup(run=facts)
        for event in events[:half]:
            first.log(run=facts, event=event)
        # Killed here, before the kernel could write down what the logger has had.
        resumed = dataclasses.replace(facts, resumed=True)
        second.setup(run=resumed)
        for event in events[half - again :]:
            second.log(run=resumed, event=event)
        second.teardown(run=resumed, error=None)
        first.teardown(run=facts, error=None)
        self.compare(self.results(Path(facts.path)), tmp_path / "told" / "run")

    def test_one_that_joins_later_hears_everything(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        finish(self.tuner(curve, tmp_path, loggers=()))
        finish(self.restore(tmp_path / "run", num_samples=10))
        self.check(tmp_path / "run", caplog)

    def test_an_error_of_the_run_ends_it_in_order(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(mt.PluginError, match="broken on purpose"):
            finish(self.tuner(curve, tmp_path, searcher=Breaks()))
        self.check(tmp_path / "run", caplog)

    def test_a_run_that_never_began_is_no_problem(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.tuner(bowl, tmp_path).open().close()
        self.check(tmp_path / "run", caplog)

    def _facts(self, tmp_path: Path) -> Facts:
        run = self.tuner(ragged_curve, tmp_path / "again", loggers=()).open()
        run.close()
        return run.facts


class Breaks(FakeSearcher):
    """Raises when it is asked for its fourth trial."""

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start | Done:
        if len({line[1] for line in self.told}) == 3:
            raise RuntimeError("broken on purpose")
        return super().suggest(run, rng)


def odd_values(config: dict[str, Any]) -> None:
    for _ in range(3):
        mt.report(ODD, loss=loss_of(config), big=10**30, empty={}, sequence=[], comma='a,"b"\n', slash={"a/b": {"c": 1}})


def ever_new_names(config: dict[str, Any]) -> None:
    number = mt.get_context().number
    for step in range(4):
        mt.report({f"metric {number} {step}": step, f"trial {number}": "x"}, loss=loss_of(config))


def _comparable(rows: Rows) -> dict[str, list[tuple[int, str]]]:
    """By trial: the journal's order between trials is not that of a history."""
    found: dict[str, list[tuple[int, str]]] = {}
    for trial, iteration, loss in rows:
        found.setdefault(trial, []).append((int(iteration), "" if loss in (None, "") else repr(float(loss))))
    return found
