"""Ten lines: 50 learning curves of an imaginary model, the bad ones stopped early, on all cores."""

import microtune as mt


def train(config):
    for epoch in range(1, 11):
        mt.report(loss=(config["lr"] - 0.01) ** 2 + config["momentum"] / epoch)


space = {"lr": mt.loguniform(1e-4, 1e-1), "momentum": mt.uniform(0, 1)}
results = mt.Tuner(train, param_space=space, metric="loss", mode="min", num_samples=50, scheduler="asha:max_t=10").fit()
best = results.get_best_result()
print(f"best of {len(results)} trials: {best.config}, loss {best.metrics['loss']:.5f}")
