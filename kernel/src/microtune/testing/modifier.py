"""The contract of a modifier."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from microtune import Done, Facts, Modifier, ResultGrid, Start, Trial, Tuner, hookimpl
from microtune.testing.contract import Contract, finish, killed
from microtune.testing.fakes import FakeExecutor, FakeSearcher
from microtune.testing.spaces import MIXED
from microtune.testing.trainables import bowl, unreliable


class Behind(FakeSearcher):
    """A searcher that marks its trials, and remembers how it was treated."""

    def __init__(self, *, configs: list[dict[str, Any]] | None = None) -> None:
        super().__init__(configs=configs)
        self.calls: list[str] = []
        self.strange: list[Any] = []  # tokens that are not its own

    @hookimpl
    def setup(self, run: Facts) -> None:
        self.calls.append("setup")

    @hookimpl
    def suggest(self, run: Facts, rng: random.Random) -> Start | Done:
        self.calls.append("suggest")
        answer = super().suggest(run, rng)
        return Start(answer.config, token={"behind": self.started}) if isinstance(answer, Start) else answer

    @hookimpl
    def on_start(self, run: Facts, trial: Trial) -> None:
        super().on_start(run, trial)
        if trial.token is not None and set(trial.token) != {"behind"}:
            self.strange.append(trial.token)

    @hookimpl
    def teardown(self) -> None:
        self.calls.append("teardown")


class ModifierContract(Contract):
    """What any modifier keeps. `options` are given to it beside the searcher behind it.

    exact_resume: a run that is killed and resumed makes the same suggestions as one that was not.
    samples: the number of trials of the runs.
    """

    role = "modifier"
    exact_resume: ClassVar[bool] = True
    samples: ClassVar[int] = 12

    def make(self) -> Callable[[Any], Any]:
        """What puts a new one in front of a searcher."""

        def in_front_of(inner: Any) -> Any:
            return self.plugin_class()(inner, **self.options)

        return in_front_of

    def tuner(self, trainable: Callable[..., Any] = bowl, *, workers: int = 1, **more: Any) -> Tuner:
        given = {
            "metric": "loss", "mode": "min", "num_samples": self.samples, "seed": 1, "storage_path": ":memory:", "loggers": (),
            "searcher": Behind(), "modifiers": [self.make()], "executor": FakeExecutor(workers=workers), **more,
        }  # fmt: skip
        return Tuner(trainable, param_space=MIXED, **given)

    def restore(self, path: Path, workers: int = 1, **changes: Any) -> Tuner:
        given = {"searcher": Behind(), "modifiers": [self.make()], "executor": FakeExecutor(workers=workers), **changes}
        return Tuner.restore(path, **given)

    # --- the searcher behind it --------------------------------------------------------------------------------------

    def test_it_forwards_what_it_does_not_change(self) -> None:
        assert issubclass(self.plugin_class(), Modifier), "derive it from microtune.Modifier, which forwards every hook"

    def test_the_searcher_behind_it_is_set_up_and_torn_down_once(self) -> None:
        searcher = Behind()
        finish(self.tuner(searcher=searcher))
        assert searcher.calls[0] == "setup"
        assert searcher.calls[-1] == "teardown"
        assert searcher.calls.count("setup") == searcher.calls.count("teardown") == 1

    def test_the_searcher_behind_it_never_hears_a_token_that_is_not_its_own(self) -> None:
        searcher = Behind()
        finish(self.tuner(searcher=searcher, workers=3))
        assert searcher.strange == []

    @pytest.mark.parametrize("workers", [1, 4])
    def test_every_trial_that_it_tells_starts_before_its_results_and_ends_once(self, workers: int) -> None:
        searcher = Behind()
        finish(self.tuner(unreliable, searcher=searcher, workers=workers, stop={"training_iteration": 3}))
        started, ended = set(), set()
        for kind, trial, *_ in searcher.told:
            if kind == "start":
                started.add(trial)
                continue
            assert trial in started, f"{kind} of a trial that never started"
            assert trial not in ended, f"{kind} of a trial that had ended"
            if kind == "end":
                ended.add(trial)

    # --- any run ends ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_a_run_ends(self, workers: int) -> None:
        results = finish(self.tuner(workers=workers))
        assert 1 <= len(results) <= self.samples
        assert all(trial.state == "COMPLETED" for trial in results)

    def test_a_run_ends_when_the_searcher_has_no_more(self) -> None:
        configs = [{"lr": 0.1 / n, "width": n, "kind": "a", "optimizer": {"kind": "adam"}} for n in range(1, 4)]
        results = finish(self.tuner(searcher=Behind(configs=configs), workers=2, num_samples=1000))
        assert 1 <= len(results) < 1000

    def test_two_may_be_stacked(self) -> None:
        assert len(finish(self.tuner(modifiers=[self.make(), self.make()]))) >= 1

    # --- resuming ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("turns", [1, 2, 5, 9])
    def test_a_killed_run_goes_on_as_if_it_had_not_been(self, turns: int, workers: int, tmp_path: Path) -> None:
        image = killed(self.tuner(workers=workers, storage_path=tmp_path, name="run"), turns, tmp_path)
        resumed = finish(self.restore(image, workers=workers))
        straight = finish(self.tuner(workers=workers))
        assert len(resumed) == len(straight)
        if self.exact_resume:
            assert _configs(resumed) == _configs(straight)


def _configs(results: ResultGrid) -> list[dict[str, Any]]:
    return [trial.config for trial in results]
