"""Tune a PyTorch network on scikit-learn's handwritten digits: 20 configurations, stopped early by ASHA, on all cores.

    python examples/digits.py             a new run
    python examples/digits.py FOLDER      goes on with a run that was interrupted (try Ctrl-C)

`microtune run examples/compose.toml` is the same run without the last third of this file.
"""

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import microtune as mt

EPOCHS = 20

SPACE = {
    "lr": mt.loguniform(1e-3, 1.0),
    "hidden": [mt.choice([32, 64, 128, 256]), mt.choice([16, 32, 64])],  # neurons of the two hidden layers
    "dropout": mt.quniform(0.0, 0.5, 0.1),
    "momentum": mt.uniform(0.0, 0.99),
    "batch_size": mt.choice([16, 32, 64, 128]),
}


def train(config):
    """One trial. It reports after every epoch, and may be stopped, paused, killed and resumed there."""
    torch.set_num_threads(1)  # the trials side by side use the cores
    data = load_data()
    network = build_network(config)
    optimizer = torch.optim.SGD(network.parameters(), lr=config["lr"], momentum=config["momentum"])

    first_epoch = 0
    folder = mt.get_checkpoint()  # a folder where this trial was at work before, else None
    if folder is not None:
        state = torch.load(folder / "state.pt")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch = state["epoch"] + 1

    for epoch in range(first_epoch, EPOCHS):
        torch.manual_seed(mt.get_context().seed + epoch)  # so a resumed epoch draws what it would have drawn
        train_one_epoch(network, optimizer, *data["train"], config["batch_size"])
        with mt.checkpoint_dir() as folder:  # becomes the checkpoint when it is reported
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, folder / "state.pt")
            mt.report(accuracy=accuracy_of(network, *data["validation"]), checkpoint=folder)


# --- PyTorch and scikit-learn, as anywhere ---------------------------------------------------------------------------


def load_data():
    """1,797 pictures of 8 x 8 pixels: 1,077 to train, 360 to choose the configuration, 360 to judge it in the end."""
    pixels, digits = load_digits(return_X_y=True)
    rest, test_x, labels, test_y = train_test_split(pixels / 16, digits, test_size=360, stratify=digits, random_state=0)
    train_x, valid_x, train_y, valid_y = train_test_split(rest, labels, test_size=360, stratify=labels, random_state=0)
    parts = {"train": (train_x, train_y), "validation": (valid_x, valid_y), "test": (test_x, test_y)}
    return {name: (torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for name, (x, y) in parts.items()}


def build_network(config):
    first, second = config["hidden"]
    return nn.Sequential(
        nn.Linear(64, first), nn.ReLU(), nn.Dropout(config["dropout"]),
        nn.Linear(first, second), nn.ReLU(), nn.Dropout(config["dropout"]),
        nn.Linear(second, 10),
    )  # fmt: skip


def train_one_epoch(network, optimizer, x, y, batch_size):
    network.train()
    for batch in torch.randperm(len(x)).split(batch_size):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()


@torch.no_grad()
def accuracy_of(network, x, y):
    network.eval()
    return (network(x).argmax(dim=1) == y).sum().item() / len(y)


# --- the run ---------------------------------------------------------------------------------------------------------


def main():
    if len(sys.argv) > 1:
        tuner = mt.Tuner.restore(sys.argv[1], train)
    else:
        tuner = mt.Tuner(
            train,
            param_space=SPACE,
            metric="accuracy",
            mode="max",
            num_samples=20,
            scheduler=f"asha:max_t={EPOCHS}",
            checkpoints={"keep": 1},  # the last one of each trial
            seed=1,
        )
    results = tuner.fit()

    best = results.get_best_result()
    network = build_network(best.config)
    network.load_state_dict(torch.load(f"{best.checkpoint}/state.pt")["network"])
    print(f"best of {len(results)} trials: {best.config}")
    print(f"validation accuracy {best.metrics['accuracy']:.3f} after {best.metrics['training_iteration']} epochs")
    print(f"test accuracy {accuracy_of(network, *load_data()['test']):.3f}, reloaded from {best.checkpoint}")


if __name__ == "__main__":
    main()
