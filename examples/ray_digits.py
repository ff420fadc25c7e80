"""digits.py on a Ray cluster: what it imports from there, and executor="ray". Needs `pip install microtune-execute-ray`.

    python examples/ray_digits.py         joins the Ray of this machine's cluster if there is one, else starts one here

On a cluster, storage_path= must be a folder that all nodes see.
"""

from digits import EPOCHS, SPACE, train

import microtune as mt

if __name__ == "__main__":
    results = mt.Tuner(
        train,
        param_space=SPACE,
        metric="accuracy",
        mode="max",
        num_samples=20,
        scheduler=f"asha:max_t={EPOCHS}",
        executor="ray",
        checkpoints={"keep": 1},
        seed=1,
    ).fit()
    best = results.get_best_result()
    print(f"best of {len(results)} trials: {best.config}")
    print(f"validation accuracy {best.metrics['accuracy']:.3f} after {best.metrics['training_iteration']} epochs")
