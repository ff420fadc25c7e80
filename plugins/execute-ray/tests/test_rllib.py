"""RLlib's algorithms as trainables. Needs the extra `rllib`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ray._private.state import actors
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig

import microtune as mt
from microtune.testing.fakes import FakeSearcher
from microtune_execute_ray import RayExecutor
from microtune_execute_ray.rllib import bundles, by_name, configured, rllib

RETURN = {"metric": "env_runners/episode_return_mean", "mode": "max"}
SMALL: dict[str, Any] = {  # an iteration is some 50 steps, and a few updates
    "env": "CartPole-v1", "min_sample_timesteps_per_iteration": 50, "num_steps_sampled_before_learning_starts": 32,
    "training_intensity": 1, "rollout_fragment_length": 10,
}  # fmt: skip


class PauseOnce:
    """Pauses every trial after its second result, and resumes it."""

    def __init__(self) -> None:
        self._paused: list[str] = []

    @mt.hookimpl
    def decide(self, trial: mt.Trial, result: mt.Result) -> mt.Decision | None:
        return mt.Pause("once") if result.training_iteration == 2 and trial.starts == 1 else None

    @mt.hookimpl
    def on_pause(self, trial: mt.Trial) -> None:
        self._paused.append(trial.id)

    @mt.hookimpl
    def on_start(self, trial: mt.Trial) -> None:
        if trial.id in self._paused:
            self._paused.remove(trial.id)

    @mt.hookimpl
    def suggest(self) -> mt.Suggestion | None:
        return mt.Resume(self._paused[0]) if self._paused else None


def returns(trial: mt.TrialResult) -> list[float]:
    return [row["env_runners"]["episode_return_mean"] for row in trial.history]


def test_an_algorithm_by_its_name_reports_rllibs_numbers_and_goes_on_from_its_checkpoint(cluster, fit):
    (trial,) = fit(
        "rllib:DQN", param_space={**SMALL, "lr": mt.loguniform(1e-4, 1e-3)}, **RETURN,
        stop={"training_iteration": 4}, scheduler=PauseOnce(),
    )  # fmt: skip
    assert trial.state == "STOPPED", trial.error
    assert [row["training_iteration"] for row in trial.history] == [1, 2, 3, 4]
    steps = [row["num_env_steps_sampled_lifetime"] for row in trial.history]
    each = [after - before for before, after in zip([0, *steps], steps, strict=False)]
    assert all(50 <= some < 70 for some in each), "one that had begun anew would have begun to count anew"
    assert all(8 <= some <= 500 for some in returns(trial))
    assert "config" not in trial.metrics


def test_a_trials_seed_is_rllibs_unless_the_config_has_one(cluster, fit):
    space = {**SMALL, "lr": mt.uniform(1e-4, 1e-3)}
    configs = [{**SMALL, "lr": 1e-3, **more} for more in ({}, {}, {"seed": 7}, {"seed": 7})]
    results = fit(
        "rllib:DQN", param_space=space, searcher=FakeSearcher(configs=configs), num_samples=4, **RETURN,
        stop={"training_iteration": 1},
    )  # fmt: skip
    own, other, seven, same = map(returns, results)
    assert seven == same
    assert own != other
    again = fit(
        "rllib:DQN", param_space=space, searcher=FakeSearcher(configs=configs[:1]), name="again", **RETURN,
        stop={"training_iteration": 1},
    )  # fmt: skip
    assert returns(again[0]) == own


def test_a_trials_config_goes_over_that_of_the_base():
    base = DQNConfig().environment("CartPole-v1").training(lr=0.5, gamma=0.9)
    chosen = configured(rllib(base).base, {"lr": 1e-3, "training": {"double_q": False}, "framework": "torch"})
    assert (chosen.env, chosen.lr, chosen.gamma, chosen.double_q) == ("CartPole-v1", 1e-3, 0.9, False)
    assert base.lr == 0.5


def test_the_actors_of_a_trial_are_in_its_bundles_and_go_with_it(cluster, fit, wait_for):
    algorithm = rllib(
        PPOConfig().environment("CartPole-v1").env_runners(num_env_runners=2)
        .training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
    )  # fmt: skip
    needed = bundles(algorithm)
    assert needed({"lr": 1e-3}) == [{"cpu": 1.0}] * 3
    assert needed({"env_runners": {"num_env_runners": 1}}) == [{"cpu": 1.0}] * 2
    trials = fit(
        algorithm, param_space={"lr": mt.loguniform(1e-4, 1e-3)}, num_samples=2, **RETURN, stop={"training_iteration": 1},
        executor=RayExecutor(trial_resources=needed),  # two do not fit side by side, and would wait for each other
    )  # fmt: skip
    assert [trial.state for trial in trials] == ["STOPPED"] * 2
    wait_for(lambda: all(actor["State"] == "DEAD" for actor in actors().values()))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"lrr": 1}, r"DQNConfig has no option 'lrr', did you mean 'lr'\?"),
        ({"training": {"lrr": 1}}, r"DQNConfig does not take what the config has under 'training': .*'lrr'"),
    ],
)
def test_an_option_that_rllib_does_not_have_is_named(config, says):
    with pytest.raises(mt.OptionError, match=says):
        configured(by_name("DQN").base, config)


def test_an_algorithm_that_rllib_does_not_have_is_refused_with_what_it_has():
    with pytest.raises(mt.OptionError, match=r"no such algorithm, did you mean 'DQN'\?; it has APPO, "):
        by_name("DQNN")


def test_a_run_without_rllib_says_what_to_install():
    code = "import sys; sys.modules['gymnasium'] = None; from microtune_execute_ray.rllib import by_name; by_name('DQN')"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "OptionError: trainable 'rllib:DQN': RLlib cannot be imported" in done.stderr
    assert done.stderr.rstrip().endswith("pip install 'microtune-execute-ray[rllib]'")
