"""Population based training of a PyTorch network on handwritten digits, beside random search with the same number of epochs.

    python examples/pbt_digits.py               one seed, half a minute
    python examples/pbt_digits.py --seeds 5     and the median over five

Eight networks train side by side. After every two epochs the two worst take over the weights of one of the two best, and a
learning rate and a momentum near those of that one. `--schedule FILE` writes what the best network went through, for the
scheduler `pbt-replay`.
"""

import argparse
import json
import statistics

import torch
from digits import accuracy_of, build_network, load_data, train_one_epoch

import microtune as mt
from microtune_schedule_pbt import schedule_of

EPOCHS = 20
POPULATION = 8
NETWORK = {"hidden": [64, 32], "dropout": 0.1}

SPACE = {"lr": mt.loguniform(1e-4, 1.0), "momentum": mt.uniform(0.0, 0.99)}


def train(config):
    """One member. What it restores may be another member's checkpoint, while `config` is its own."""
    torch.set_num_threads(1)
    data = load_data()
    torch.manual_seed(mt.get_context().seed)
    network = build_network(NETWORK)
    optimizer = torch.optim.SGD(network.parameters(), lr=config["lr"], momentum=config["momentum"])

    first_epoch = 0
    folder = mt.get_checkpoint()
    if folder is not None:
        state = torch.load(folder / "state.pt")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        for group in optimizer.param_groups:  # that brought the donor's settings too
            group.update(lr=config["lr"], momentum=config["momentum"])
        first_epoch = state["epoch"] + 1

    for epoch in range(first_epoch, EPOCHS):
        torch.manual_seed(mt.get_context().seed + epoch)
        train_one_epoch(network, optimizer, *data["train"], batch_size=32)
        with mt.checkpoint_dir() as folder:
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, folder / "state.pt")
            mt.report(accuracy=accuracy_of(network, *data["validation"]), checkpoint=folder)


def search(name, scheduler, seed):
    return mt.Tuner(
        train,
        param_space=SPACE,
        metric="accuracy",
        mode="max",
        num_samples=POPULATION,
        scheduler=scheduler,
        checkpoints={"keep": 1},
        loggers=(),
        name=f"{name}-{seed}",
        seed=seed,
    ).fit()


def test_accuracy(result):
    network = build_network(NETWORK)
    network.load_state_dict(torch.load(f"{result.checkpoint}/state.pt")["network"])
    return accuracy_of(network, *load_data()["test"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--schedule", metavar="FILE", help="write the schedule of the first seed's best network")
    arguments = parser.parse_args()

    # synch: the members are compared after equally many epochs, so the budget is that of random search to the epoch
    schedulers = {"pbt": "pbt:perturbation_interval=2,synch=true", "random": None}
    found = {name: [] for name in schedulers}
    for seed in range(arguments.seeds):
        for name, scheduler in schedulers.items():
            results = search(name, scheduler, seed)
            best = results.get_best_result()
            found[name].append(best.metrics["accuracy"])
            epochs = sum(len(trial.history) for trial in results)
            told = f"validation accuracy {best.metrics['accuracy']:.4f}, test accuracy {test_accuracy(best):.4f}"
            print(f"seed {seed} {name:6} {told} after {epochs} epochs", flush=True)
            if name == "pbt" and seed == 0 and arguments.schedule:
                with open(arguments.schedule, "w", encoding="utf-8") as file:
                    json.dump(schedule_of(results), file, indent=1)
    for name, accuracies in found.items():
        print(f"median {name:6} {statistics.median(accuracies):.4f} of {arguments.seeds}")


if __name__ == "__main__":
    main()
