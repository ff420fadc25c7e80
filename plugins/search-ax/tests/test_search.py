from __future__ import annotations

import math
import random
from importlib.util import find_spec

import pytest

from microtune import (
    Done,
    Facts,
    Limits,
    Objective,
    OptionError,
    Result,
    Space,
    Start,
    Stop,
    Trial,
    Tuner,
    Wait,
    choice,
    loguniform,
    qrandn,
    randint,
    uniform,
)  # fmt: skip
from microtune.testing import FakeExecutor, FakeScheduler
from microtune.testing.trainables import bowl, loss_of, unreliable
from microtune_search_ax import AxSearch
from microtune_search_ax.calm import calm

FLAT = {"x": uniform(0, 1), "lr": loguniform(1e-4, 1.0), "n": randint(1, 9)}


def facts(space=FLAT, metric="loss", mode="min", seed=0):
    return Facts(
        id="", name="", path="", seed=seed, space=space if isinstance(space, Space) else Space(space),
        objective=Objective(metric, mode), num_samples=None, limits=Limits(trials=None), resources={}, trainable=None,
    )  # fmt: skip


class Search:
    """An AxSearch, asked and told as the kernel would."""

    def __init__(self, space=FLAT, run=None, **options):
        self.run = run or facts(space)
        self.searcher = AxSearch(**options)
        self.searcher.setup(run=self.run)
        self.number = 0

    def ask(self):
        return self.searcher.suggest(rng=self.run.rng("suggest", self.number))

    def start(self, config=None, token=None):
        """A trial that the searcher suggests; one with a given config is somebody else's."""
        if config is None:
            answer = self.ask()
            assert isinstance(answer, Start), answer
            config, token = self.run.space.project(answer.config, random.Random(0)), answer.token
        trial = Trial(f"{self.number:05d}", self.number, config, token=token)
        self.number += 1
        self.searcher.on_start(run=self.run, trial=trial)
        return trial

    def report(self, trial, step=1, **metrics):
        trial = trial._replace(iteration=step)
        self.searcher.on_result(run=self.run, trial=trial, result=Result(metrics, step, 0.0, 0.0))
        return trial

    def end(self, trial, state="COMPLETED", reason=None, *, finished=False):
        finished = finished or state == "COMPLETED"
        self.searcher.on_end(trial=trial._replace(state=state, reason=reason, finished=finished))

    def whole(self, config=None):
        trial = self.start(config)
        self.end(self.report(trial, loss=loss_of(trial.config)))
        return trial

    @property
    def statuses(self):
        with calm():
            return list(self.searcher.client.summarize()["trial_status"])

    def data(self):
        """(number of the trial for Ax, step, value) of everything that Ax was told."""
        with calm():
            frame = self.searcher.client._experiment.lookup_data().full_df
        if frame.empty:
            return []
        return [tuple(row) for row in frame[["trial_index", "step", "mean"]].itertuples(index=False)]


def tuned(space=FLAT, trainable=bowl, *, workers=1, num_samples=8, scheduler=None, **options):
    searcher = AxSearch(**{"initialization_budget": 6, **options})
    Tuner(
        trainable, param_space=space, metric="loss", mode="min", num_samples=num_samples, seed=1, storage_path=":memory:",
        loggers=(), searcher=searcher, scheduler=scheduler, executor=FakeExecutor(workers=workers),
        stop={"training_iteration": 3},
    ).fit()  # fmt: skip
    return searcher


# --- how each fate is told -------------------------------------------------------------------------------------------


def test_each_fate_is_told_in_the_words_of_ax():
    search = Search(method="random_search")
    trials = [search.start() for _ in range(7)]
    search.end(search.report(trials[0], 5, loss=0.5))
    search.end(search.report(trials[1], 3, loss=0.7), "STOPPED", "rung 3")
    search.end(search.report(trials[2], 1, loss=0.1), "FAILED", "ValueError")
    search.end(search.report(trials[3], 2, loss=math.nan))
    search.end(trials[4], "STOPPED", "infeasible")
    search.end(search.report(trials[5], 4, loss=0.2), "STOPPED", "loss < 0.25", finished=True)
    assert search.statuses == ["COMPLETED", "EARLY_STOPPED", "FAILED", "ABANDONED", "ABANDONED", "COMPLETED", "RUNNING"]
    assert search.data() == [(0, 5, 0.5), (1, 3, 0.7), (5, 4, 0.2)]


def test_a_trial_stands_for_its_last_result_with_a_step():
    search = Search(method="random_search")
    trial = search.start()
    for step in (1, 2):
        search.report(trial, step, loss=step / 10)
    search.end(search.report(trial, 3, other=1))
    assert search.data() == [(0, 2, 0.2)]


def test_a_trial_that_diverges_in_the_end_is_not_told_as_what_it_was_before():
    search = Search(method="random_search")
    trial = search.start()
    search.report(trial, 1, loss=0.1)
    search.end(search.report(trial, 2, loss=math.inf))
    assert search.statuses == ["ABANDONED"]
    assert search.data() == []


@pytest.mark.parametrize("workers", [1, 4])
def test_no_trial_that_ended_is_running_for_ax(workers):
    cut = FakeScheduler(decide=lambda trial, result: Stop("its rung") if trial.number == 4 else None)
    searcher = tuned(trainable=unreliable, workers=workers, num_samples=13, scheduler=cut, method="random_search")
    with calm():
        statuses = set(searcher.client.summarize()["trial_status"])
    assert statuses == {"COMPLETED", "FAILED", "ABANDONED", "EARLY_STOPPED"}


def test_where_every_trial_is_stopped_the_model_takes_over_all_the_same():
    search = Search(initialization_budget=4)
    for _ in range(4):
        trial = search.start()
        search.end(search.report(trial, 3, loss=loss_of(trial.config)), "STOPPED", "its rung")
    assert search.ask().token["node"] == "MBM"


def test_failed_trials_do_not_use_up_the_initialization():
    search = Search(initialization_budget=3)
    for _ in range(5):
        search.end(search.start(), "FAILED", "lost")
    assert search.ask().token["node"] == "Sobol"


def test_a_config_that_changed_on_a_resume_is_another_point():
    search = Search(method="random_search")
    trial = search.report(search.start(), 2, loss=0.5)
    search.searcher.on_start(run=search.run, trial=trial._replace(starts=2))
    assert search.statuses == ["RUNNING"]
    moved = trial._replace(starts=3, config={"x": 0.25, "lr": 0.1, "n": 2})
    search.searcher.on_start(run=search.run, trial=moved)
    search.end(search.report(moved, 4, loss=0.3))
    assert search.statuses == ["EARLY_STOPPED", "COMPLETED"]
    assert search.data() == [(0, 2, 0.5), (1, 4, 0.3)]


# --- which points ----------------------------------------------------------------------------------------------------


def test_the_point_that_runs_is_told_not_the_one_that_was_proposed():
    search = Search({"x": qrandn(0, 10, 5)}, method="random_search")
    told = [search.whole().config["x"] for _ in range(4)]
    with calm():
        frame = search.searcher.client.summarize()
    completed = frame[frame["trial_status"] == "COMPLETED"]["p0_x"]
    law = search.searcher._dimensions.by_name["x"]
    assert [law.from_ax(value) for value in completed] == pytest.approx(told)
    assert all(value % 5 == 0 for value in told)


def test_those_in_flight_are_as_many_points_also_when_a_model_proposes_them():
    search = Search({"x": uniform(0, 1), "y": uniform(0, 1)}, initialization_budget=4)
    for _ in range(4):
        search.whole()
    pending = [search.start() for _ in range(4)]
    assert {trial.token["node"] for trial in pending} == {"MBM"}
    assert len({(trial.config["x"], trial.config["y"]) for trial in pending}) == 4


def test_it_proposes_what_ax_alone_proposes():
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
    from ax.utils.common.random import with_rng_seed

    run = facts({**FLAT, "kind": choice([{"of": choice(["a", "b", "c"]), "m": uniform(0, 1)}, {"k": randint(0, 9)}])})
    ours = Search(run=run, initialization_budget=4)
    with calm():
        alone = Client()
        alone.configure_experiment(
            [
                RangeParameterConfig("x", (0, 1), "float"),
                RangeParameterConfig("lr", (1e-4, 1.0), "float", scaling="log"),
                RangeParameterConfig("n", (1, 8), "int"),
                ChoiceParameterConfig(
                    "kind",
                    ["one", "two"],
                    "str",
                    is_ordered=True,
                    dependent_parameters={"one": ["of", "m"], "two": ["k"]},
                ),
                ChoiceParameterConfig("of", ["a", "b", "c"], "str", is_ordered=False),
                RangeParameterConfig("m", (0, 1), "float"),
                RangeParameterConfig("k", (0, 8), "int"),
            ]
        )
        alone.configure_optimization("-loss")
        seed = run.rng("ax").getrandbits(31)
        alone.configure_generation_strategy(initialization_budget=4, initialization_random_seed=seed)
    for number in range(5):
        config = ours.whole().config
        with calm(), with_rng_seed(run.rng("suggest", number).getrandbits(32)):
            [(index, given)] = alone.get_next_trials(1).items()
            inner = {key: given[key] for key in ("of", "m", "k") if key in given}
            assert {**{key: given[key] for key in FLAT}, "kind": inner} == config, number
            alone.complete_trial(index, {"loss": loss_of(config)})


def test_a_finite_space_is_gone_through_once_and_a_failed_point_is_tried_again():
    search = Search({"x": choice(["a", "b", "c"]), "y": randint(0, 2)}, method="random_search")
    trials = [search.start() for _ in range(6)]
    assert len({str(trial.config) for trial in trials}) == 6
    assert isinstance(search.ask(), Done)
    search.end(trials[3], "FAILED", "lost")
    assert search.start().config == trials[3].config
    assert isinstance(search.ask(), Done)


def test_a_suggestion_that_nobody_starts_is_not_pending_for_ever():
    search = Search(method="random_search")
    first = search.ask().config
    assert search.start().config != first
    assert search.statuses == ["ABANDONED", "RUNNING"]


def test_workers_wait_for_results_only_where_they_are_told_to():
    search = Search(initialization_budget=2, allow_exceeding_initialization_budget=False)
    trials = [search.start(), search.start()]
    assert isinstance(search.ask(), Wait)
    search.end(search.report(trials[0], loss=0.5))
    assert isinstance(search.ask(), Start)
    patient = Search(initialization_budget=2)
    assert len({patient.start().token["node"] for _ in range(4)}) == 2  # the middle, and then Sobol points


# --- what it knows ---------------------------------------------------------------------------------------------------


def test_trials_of_others_are_modelled_from_the_first_suggestion_on():
    search = Search(initialization_budget=5)
    rng = random.Random(0)
    for _ in range(12):
        search.whole(search.run.space.sample(rng))
    near = {"x": 0.3, "lr": 0.3, "n": 1}
    for delta in (-0.01, 0.0, 0.01):
        search.whole({**near, "x": near["x"] + delta})
    answer = search.ask()
    assert answer.token["node"] == "MBM"
    assert answer.config["n"] <= 2  # the loss of n=9 is eight times that of n=1
    assert search.data()[0][0] == 0


def test_a_replay_costs_no_fit_and_the_next_suggestion_is_the_same():
    live = Search({**FLAT, "kind": choice([{"m": uniform(0, 1)}, {"k": randint(0, 9)}])}, initialization_budget=4)
    trials = [live.whole() for _ in range(6)]
    replayed = Search(run=live.run, initialization_budget=4)
    for trial in trials:
        again = replayed.start(trial.config, trial.token)
        replayed.end(replayed.report(again, loss=loss_of(again.config)))
        assert replayed.searcher.client._generation_strategy.current_node_name != "MBM"  # not asked
    assert replayed.data() == live.data()
    assert replayed.ask().config == live.ask().config


def test_several_objectives_with_a_threshold_and_a_constraint():
    run = facts(metric=["loss", "eval/acc"], mode=["min", "max"])
    search = Search(run=run, initialization_budget=3, outcome_constraints=["loss <= 20", "net/size <= 5"])
    for _ in range(3):
        trial = search.start()
        metrics = {
            "loss": loss_of(trial.config),
            "eval": {"acc": trial.config["x"]},
            "net": {"size": float(trial.config["n"])},
        }
        search.end(search.report(trial, **metrics))
    config = search.searcher.client._experiment.optimization_config
    assert sorted(config.metric_names if hasattr(config, "metric_names") else config.metrics) == ["m0", "m1", "m2"]
    assert len(config.objective_thresholds) == len(config.outcome_constraints) == 1
    assert len(search.data()) == 9


# --- constraints -----------------------------------------------------------------------------------------------------


def test_parameter_constraints_hold_for_every_suggestion():
    search = Search(
        {"x": uniform(0, 1), "y": uniform(0, 1)}, initialization_budget=5, parameter_constraints=["x + y <= 0.8"]
    )
    configs = [search.whole().config for _ in range(6)]
    assert all(config["x"] + config["y"] <= 0.8 + 1e-6 for config in configs)


@pytest.mark.parametrize("expression", ["x * y <= 1", "x <=", "x + y"])
def test_a_parameter_constraint_that_ax_cannot_read_is_shown_with_what_ax_says(expression):
    with pytest.raises(OptionError, match=r"parameter_constraints=\["):
        Search({"x": uniform(0, 1), "y": uniform(0, 1)}, parameter_constraints=[expression])


def test_an_outcome_constraint_that_ax_cannot_read_is_shown_with_what_ax_says():
    with pytest.raises(OptionError, match=r"outcome_constraints=\['size'\]"):
        Search(outcome_constraints=["size"])


def test_a_metric_that_a_constraint_needs_and_no_trial_reports_is_named():
    search = Search(method="random_search", outcome_constraints=["latency <= 30"])
    with pytest.raises(OptionError, match=r"need \['latency'\].*reported \['loss'\]"):
        search.report(search.start(), loss=0.5)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "slow"}, "no method 'slow'.*fast, quality, random_search"),
        ({"parameter_constraints": "x <= 1"}, "parameter_constraints is 'x <= 1'; it must be a list"),
        ({"initialization_budget": 0}, "initialization_budget is 0"),
        (
            {"min_observed_initialization_trials": 9, "allow_exceeding_initialization_budget": False},
            "min_observed_initialization_trials is 9 and initialization_budget 5",
        ),
    ],
)
def test_a_wrong_option_is_named_with_what_it_may_be(options, message):
    with pytest.raises(OptionError, match=message):
        AxSearch(**options)


@pytest.mark.skipif(any(map(find_spec, ("numpyro", "pyro"))), reason="the library that quality needs is installed")
def test_quality_is_refused_at_once_where_its_library_is_missing():
    with pytest.raises(OptionError, match=r"method='quality' lacks a library.*pip install"):
        Search(method="quality")


def test_the_middle_of_the_space_is_first_unless_it_is_not_wanted():
    assert Search().start().config == {"x": 0.5, "lr": pytest.approx(0.01), "n": 4}
    assert Search(initialize_with_center=False).start().config["x"] != 0.5


# --- a good guest ----------------------------------------------------------------------------------------------------


def test_the_generators_of_torch_and_numpy_are_left_alone():
    import numpy
    import torch

    before = torch.random.get_rng_state(), repr(numpy.random.get_state(legacy=False)), random.getstate()
    tuned(num_samples=7)
    after = torch.random.get_rng_state(), repr(numpy.random.get_state(legacy=False)), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_ax_is_quiet_and_speaks_again_to_others_afterwards(capfd):
    from ax.utils.common.logger import ROOT_STREAM_HANDLER

    level = ROOT_STREAM_HANDLER.level
    tuned(trainable=unreliable, num_samples=9)
    assert capfd.readouterr().err == ""
    assert ROOT_STREAM_HANDLER.level == level
