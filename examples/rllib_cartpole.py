"""Tune DQN on CartPole: RLlib's algorithm by its name, microtune's search and early stopping.

    pip install "microtune-execute-ray[rllib]"
    python examples/rllib_cartpole.py

`Tuner(rllib(DQNConfig().environment("CartPole-v1")...), ...)` is the other way to write it, with RLlib's own config.
"""

import microtune as mt

ITERATIONS = 8  # of 1,000 steps in the environment each; who moves at random keeps the pole up for some 20 of them
RETURN = "env_runners/episode_return_mean"

SPACE = {
    "env": "CartPole-v1",
    "num_envs_per_env_runner": 4,
    "training": {
        "lr": mt.loguniform(3e-4, 3e-3),
        "train_batch_size_per_learner": mt.choice([32, 64, 128]),
        "target_network_update_freq": mt.choice([100, 500]),
        "epsilon": [[0, 1.0], [4000, 0.05]],  # how often it moves at random, by steps
        "training_intensity": 8,
        "num_steps_sampled_before_learning_starts": 500,
    },
}


if __name__ == "__main__":
    results = mt.Tuner(
        "rllib:DQN",
        param_space=SPACE,
        metric=RETURN,
        mode="max",
        num_samples=4,
        scheduler=f"asha:max_t={ITERATIONS},grace_period=3",
        executor="ray",
        checkpoints={"keep": 1, "at_end": True},
        seed=1,
    ).fit()
    best = results.get_best_result()
    training = best.config["training"]
    print(f"best of {len(results)} trials: lr {training['lr']:.2g}, batches of {training['train_batch_size_per_learner']}")
    first, last = best.history[0], best.metrics
    print(f"episode return {first['env_runners']['episode_return_mean']:.1f} in the first iteration,", end=" ")
    print(f"{last['env_runners']['episode_return_mean']:.1f} in iteration {last['training_iteration']}")
