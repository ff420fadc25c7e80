from __future__ import annotations

import math

import optuna
import pytest

from microtune import OptionError, Tuner, uniform
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.contract import finish, killed
from microtune_search_optuna import OptunaPruning, OptunaSearch
from microtune_search_optuna.quiet import quiet

PRUNERS = {
    "median": {"n_startup_trials": 3},
    "percentile": {"percentile": 30.0, "n_startup_trials": 3, "n_warmup_steps": 2},
    "hyperband": {"min_resource": 1, "max_resource": 27},
    "successive_halving": {"reduction_factor": 3},
    "patient": {"patience": 2, "wrapped_pruner": "median"},
    "threshold": {"upper": 0.8},
    "wilcoxon": {"p_threshold": 0.2},
    "nop": {},
}


def loss(x, t):
    """Curves that cross: some rise again."""
    return abs(x - 0.3) + math.exp(-t / (3 + 9 * x)) + 0.1 * math.sin(40 * x + t)


def curve(config):
    from microtune import report

    for t in range(1, 28):
        report(loss=loss(config["x"], t), accuracy=-loss(config["x"], t))


def tuner(scheduler, trials=40, workers=1, **more):
    points = [{"x": (i * 0.618) % 1} for i in range(trials)]
    given = {
        "metric": "loss", "mode": "min", "num_samples": trials, "seed": 1, "storage_path": ":memory:", "loggers": (),
        "executor": FakeExecutor(workers=workers), "searcher": FakeSearcher(configs=points), "scheduler": scheduler, **more,
    }  # fmt: skip
    return Tuner(curve, param_space={"x": uniform(0, 1)}, **given)


def lengths(results):
    return [trial.metrics["training_iteration"] for trial in results]


@pytest.mark.parametrize("pruner", PRUNERS)
def test_trials_are_stopped_where_optuna_itself_prunes_them(pruner):
    mine = lengths(finish(tuner(OptunaPruning(pruner=pruner, **PRUNERS[pruner]))))
    theirs = []
    with quiet():
        made = OptunaPruning(pruner=pruner, **PRUNERS[pruner])._pruner
        study = optuna.create_study(study_name="microtune 1", pruner=made)
        for i in range(40):
            trial = study.ask()
            for t in range(1, 28):
                trial.report(loss((i * 0.618) % 1, t), t)
                if trial.should_prune():
                    break
            pruned = t < 27 or trial.should_prune()
            theirs.append(t)
            if pruned:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, loss((i * 0.618) % 1, t))
    assert mine == theirs
    assert (min(mine) < 27) == (pruner != "nop")


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_killed_run_goes_on_exactly(pruner, tmp_path):
    def make():
        return OptunaPruning(pruner=pruner, **PRUNERS[pruner])

    whole = finish(tuner(make(), 20))
    image = killed(tuner(make(), 20, storage_path=tmp_path, name="run"), 200, tmp_path)
    points = FakeSearcher(configs=[trial.config for trial in whole])
    resumed = Tuner.restore(image, curve, searcher=points, scheduler=make(), executor=FakeExecutor(), loggers=())
    assert lengths(finish(resumed)) == lengths(whole)


def test_min_and_max_are_mirror_images():
    low = finish(tuner("optuna:pruner=percentile,percentile=30.0"))
    high = finish(tuner("optuna:pruner=percentile,percentile=30.0", metric="accuracy", mode="max"))
    assert lengths(low) == lengths(high)


def test_what_a_stop_rule_ends_has_completed_and_others_are_judged_by_it():
    reached = lengths(finish(tuner(OptunaPruning(n_startup_trials=3), stop={"training_iteration": 9})))
    assert max(reached) == 9
    assert min(reached) < 9


def test_a_stopped_trial_says_by_whom():
    results = finish(tuner(OptunaPruning(n_startup_trials=3)))
    assert {trial.reason for trial in results if trial.state == "STOPPED"} == {"pruned by MedianPruner"}


def test_searcher_and_scheduler_go_together():
    results = finish(tuner(OptunaPruning(n_startup_trials=3), workers=3, searcher=OptunaSearch(n_startup_trials=5)))
    assert {trial.state for trial in results} == {"COMPLETED", "STOPPED"}


def test_steps_may_be_any_metric_that_is_an_integer():
    def train(config):
        from microtune import report

        for fold in range(1, 9):
            report(loss=config["x"], fold=10 * fold, share=fold / 8)

    def run(time_attr):
        pruning = OptunaPruning(pruner="threshold", upper=0.5, n_warmup_steps=40, time_attr=time_attr)
        points = FakeSearcher(configs=[{"x": 0.9}])
        return lengths(
            finish(
                Tuner(
                    train, param_space={"x": uniform(0, 1)}, metric="loss", mode="min", scheduler=pruning, searcher=points,
                    executor=FakeExecutor(), loggers=(), storage_path=":memory:",
                )
            )
        )  # fmt: skip

    assert run("fold") == [4]
    assert run("training_iteration") == [8]
    assert run("share") == [8]


def test_a_pruner_may_be_an_object():
    given = optuna.pruners.ThresholdPruner(upper=0.8)
    assert lengths(finish(tuner(given_pruning(given)))) == lengths(finish(tuner("optuna:pruner=threshold,upper=0.8")))


def given_pruning(pruner):
    return OptunaPruning(pruner=pruner)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pruner": "medium"}, "'medium'; it must be one of median, percentile"),
        ({"n_startup": 3}, "'median' has no option 'n_startup'; its options are n_startup_trials"),
        ({"pruner": "nop", "n": 3}, "it has no options"),
        ({"pruner": "percentile"}, "refuses its options .*percentile"),
        ({"pruner": "percentile", "percentile": 101.0}, "refuses its options .*101"),
        ({"pruner": "patient", "patience": 1, "wrapped_pruner": "medium"}, "'medium'"),
        ({"pruner": optuna.pruners.NopPruner(), "n": 3}, "n cannot be set"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(OptionError, match=message):
        OptunaPruning(**options)
