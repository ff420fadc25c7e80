"""One composition, simulated and with real processes: what is decided depends on the order of the reports, and on nothing else.

The simulation runs first, and what its workers say, in its order, is the script. Real workers then play it: each waits, before
a report and before its end, for a baton of its own, which is laid out when that is what the script has next.
"""

from __future__ import annotations

import itertools
import os
import time
import zlib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import microtune as mt
from microtune.journal import Reader

BOUND = 120  # seconds that no report should ever take
WORKERS = 3
SPACE = {"x": mt.uniform(0, 1), "rate": mt.loguniform(1e-3, 1), "kind": mt.choice(["a", {"b": mt.randint(0, 10)}])}
COMPOSED = {
    "asha stopping": ("asha:max_t=9,reduction_factor=3", 14),
    "asha promotion": ("asha:max_t=9,reduction_factor=3,type=promotion", 14),
    "hyperband": ("hyperband:max_t=9,reduction_factor=3", 17),  # the three brackets of 9, 5 and 3 trials
    "pbt": ("pbt:perturbation_interval=2", 5),
    "pbt, synchronous": ("pbt:perturbation_interval=3,synch=true", 4),
}
INSTALLED = entry_points(group="microtune.schedulers").names
REAL = {"local": {"workers": WORKERS, "prefetch": False}, "ray": {}}  # which has so many slots
EXECUTORS = sorted(REAL.keys() & entry_points(group="microtune.executors").names)
SCHEDULERS = [name for name, (text, _) in COMPOSED.items() if text.partition(":")[0] in INSTALLED]


def training(batons: Path | None):
    """Nine steps with a checkpoint each; with batons, each report waits for its own, and so does the end."""

    def train(config):
        start = int((mt.get_checkpoint() / "step").read_text()) if mt.get_checkpoint() else 0
        context = mt.get_context()

        def wait_for_turn(*what):
            if batons is not None:
                wait_for(batons / baton(context.trial_id, context.attempt, *what))

        for step in range(start + 1, 10):
            with mt.checkpoint_dir() as folder:
                (folder / "step").write_text(str(step))
                wait_for_turn(step)
                mt.report(loss=config["x"] + config["rate"] / step, checkpoint=folder)
        wait_for_turn()

    return train


def wait_for(path: Path) -> None:
    end = time.monotonic() + BOUND
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"the turn of {path.name} never came")
        time.sleep(0.001)


def baton(trial_id: str, attempt: int, step: int | str = "end") -> str:
    return f"{trial_id}-{attempt}-{step}"


def irregular(config, iteration, metrics):
    """Between one and ten seconds, no two the same."""
    return 1 + zlib.crc32(f"{config['x']} {iteration}".encode()) / 2**32 * 9


def spoken(report) -> tuple:
    if isinstance(report, mt.Reported):
        return ("reports", report.trial_id, report.attempt, report.iteration)
    return ("exits", report.trial_id, report.attempt)


class Scribe(mt.Modifier):
    """An executor in front of an executor, which writes the script."""

    def __init__(self, inner):
        super().__init__(inner)
        self.script: list[tuple] = []

    @mt.hookimpl
    def wait(self, run, until):
        batch = super().wait(run, until)
        self.script += map(spoken, batch.reports)
        return batch


class Prompter(mt.Modifier):
    """An executor in front of an executor, which lays out the batons as the script has it."""

    def __init__(self, inner, script: list[tuple], batons: Path):
        super().__init__(inner)
        self.script = script
        self.heard: list[tuple] = []
        self._batons = batons

    @mt.hookimpl
    def wait(self, run, until):
        if len(self.heard) < len(self.script):
            _, *what = self.script[len(self.heard)]
            (self._batons / baton(*what)).touch()
        batch = super().wait(run, until)
        self.heard += map(spoken, batch.reports)
        assert self.heard == self.script[: len(self.heard)], "the real run has left the script"
        return batch


def make(class_name: str, **options):
    """An executor by its name, as an instance."""
    [found] = entry_points(group="microtune.executors", name=class_name)
    return found.load()(**options)


def decisions(folder: Path) -> list[tuple]:
    """All events but those of the sessions themselves; of the bodies all but the seconds."""
    reader = Reader(str(folder))
    events = list(reader.events())
    reader.close()
    return [
        (one.kind, one.trial, inside(one.body, str(folder))) for one in events if one.kind not in ("opened", "closed")
    ]


def inside(body: dict, folder: str) -> dict:
    """Paths as seen from the folder of the run."""
    return {
        key: os.path.relpath(value, folder) if key in ("checkpoint", "path") else value
        for key, value in body.items()
        if key != "time_total_s"
    }


@pytest.mark.usefixtures("cluster", "by_value")
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_simulated_and_real_workers_lead_to_the_same_journal_of_decisions(tmp_path, name, executor):
    scheduler, samples = COMPOSED[name]
    batons = tmp_path / "batons"
    batons.mkdir()

    def fit(batons, executor, folder):
        tuner = mt.Tuner(
            training(batons), param_space=SPACE, metric="loss", mode="min", num_samples=samples, searcher="random",
            scheduler=scheduler, executor=executor, loggers=[], seed=3, checkpoints={"keep": 2}, storage_path=tmp_path,
            name=folder,
        )  # fmt: skip
        tuner.fit()
        return decisions(tmp_path / folder)

    scribe = Scribe(make("simulated", workers=WORKERS, seconds=irregular))
    simulated = fit(None, scribe, "simulated")
    prompter = Prompter(make(executor, **REAL[executor]), scribe.script, batons)
    real = fit(batons, prompter, "real")
    assert prompter.heard == scribe.script
    for number, (one, other) in enumerate(zip(simulated, real, strict=False)):
        assert one == other, f"event {number}"
    assert len(simulated) == len(real)

    kinds = [kind for kind, _, _ in simulated]
    assert kinds.count("created") == samples
    assert "decided" in kinds
    assert ("resumed" in kinds) == (name != "asha stopping")
    exploited = [body for kind, _, body in simulated if kind == "resumed" and "config" in body]
    assert bool(exploited) == name.startswith("pbt")
    numbers = [trial for kind, trial, _ in simulated if kind == "result"]
    changes = sum(one != other for one, other in itertools.pairwise(numbers))
    assert changes > len(numbers) / 3, "the trials report by turns"
