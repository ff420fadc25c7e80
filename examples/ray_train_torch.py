"""Ray Train in every trial: two workers train one network on halves of scikit-learn's digits, ASHA stops the bad ones.

    pip install "microtune-execute-ray[train]" torch scikit-learn
    python examples/ray_train_torch.py

On a cluster, storage_path= must be a folder that all nodes see.
"""

import tempfile
from pathlib import Path

import ray
import ray.train
import ray.train.torch
import torch
from ray.train.torch import TorchTrainer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import microtune as mt
from microtune_execute_ray import RayExecutor
from microtune_execute_ray.train import fit

WORKERS = 2
EPOCHS = 9

SPACE = {"lr": mt.loguniform(1e-3, 1.0), "hidden": mt.choice([32, 64, 128]), "momentum": mt.uniform(0.0, 0.99)}


def train(config):
    """One trial: the trainer runs in the cluster, and what its workers report is what the trial reports."""
    fit(
        TorchTrainer(
            train_loop,
            train_loop_config={**config, "seed": mt.get_context().seed, "restore": mt.get_checkpoint()},
            scaling_config=ray.train.ScalingConfig(num_workers=WORKERS),
            run_config=ray.train.RunConfig(logging_config=ray.train.LoggingConfig("WARNING")),
        )
    )


# --- PyTorch and Ray Train, as anywhere ------------------------------------------------------------------------------


def train_loop(config):
    """One worker."""
    torch.set_num_threads(1)
    rank = ray.train.get_context().get_world_rank()
    (train_x, train_y), (valid_x, valid_y) = load_data()
    train_x, train_y = train_x[rank::WORKERS], train_y[rank::WORKERS]

    torch.manual_seed(config["seed"])
    network = nn.Sequential(nn.Linear(64, config["hidden"]), nn.ReLU(), nn.Linear(config["hidden"], 10))
    network = ray.train.torch.prepare_model(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=config["lr"], momentum=config["momentum"])

    first_epoch = 0
    if config["restore"] is not None:
        state = torch.load(config["restore"] / "state.pt")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch = state["epoch"] + 1

    for epoch in range(first_epoch, EPOCHS):
        torch.manual_seed(config["seed"] + epoch)
        for batch in torch.randperm(len(train_x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(train_x[batch]), train_y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (network(valid_x).argmax(dim=1) == valid_y).float().mean().item()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if rank == 0:
                state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
                torch.save(state, Path(folder) / "state.pt")
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"accuracy": accuracy}, checkpoint=checkpoint)


def load_data():
    pixels, digits = load_digits(return_X_y=True)
    split = train_test_split(pixels / 16, digits, test_size=360, stratify=digits, random_state=0)
    train_x, valid_x, train_y, valid_y = map(torch.tensor, split)
    return (train_x.float(), train_y), (valid_x.float(), valid_y)


if __name__ == "__main__":
    # The trial itself only waits, and needs no CPU. Its workers need one each, which Ray Train reserves, all at once: so
    # microtune only counts them, to start as many trials as have room.
    executor = RayExecutor(trial_resources=[{"cpu": 0}] + [{"cpu": 1}] * WORKERS, reserve=False)
    results = mt.Tuner(
        train,
        param_space=SPACE,
        metric="accuracy",
        mode="max",
        num_samples=6,
        scheduler=f"asha:max_t={EPOCHS},reduction_factor=3",
        executor=executor,
        checkpoints={"keep": 1},
        max_failures=1,
        seed=1,
    ).fit()
    best = results.get_best_result()
    print(f"best of {len(results)} trials: {best.config}")
    print(f"validation accuracy {best.metrics['accuracy']:.3f} after {best.metrics['training_iteration']} epochs")
