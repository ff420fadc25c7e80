"""What recovery.py asks of Ray Tune: `python recovery_ray.py QUESTION [key=value ...]` prints one JSON line.

Its default loggers are on, since its results are read from what they write; actors are reused; no dashboard.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_DEDUP_LOGS="0")

import ray
from ray import tune

from answer import main
from recovery_trial import REPORTS, SAVED_EVERY, WIDTH, WITNESS, Heard, evaluate


def start() -> None:
    here = str(Path(__file__).parent)
    environment = {"env_vars": {WITNESS: os.environ[WITNESS], "PYTHONPATH": here}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", runtime_env=environment)


def train(config: dict[str, Any]) -> None:
    begin = 0
    if (saved := tune.get_checkpoint()) is not None:
        with saved.as_directory() as folder:
            begin = int(Path(folder, "step").read_text())
    for step in range(begin + 1, REPORTS + 1):
        metrics = {"loss": evaluate(config["x"], step), "x": config["x"], "step": step}
        if step % SAVED_EVERY:
            tune.report(metrics)
            continue
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "step").write_text(str(step))
            tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


class Ear(tune.Callback):
    def __init__(self) -> None:
        self.heard = Heard()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        self.heard.result(result["x"], result["step"])


def run(folder: str, trials: int) -> None:
    """Killed from within if recovery.py says so."""
    start()
    tune.Tuner(
        train,
        param_space={"x": tune.randint(0, WIDTH)},
        tune_config=tune.TuneConfig(
            metric="loss", mode="min", num_samples=trials, max_concurrent_trials=2, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            storage_path=os.path.dirname(folder), name=os.path.basename(folder), verbose=0, callbacks=[Ear()]
        ),
    ).fit()


def resume(folder: str) -> dict[str, Any]:
    """`called`: when restore() was; `results`: [x, step] of all that the results offer at the end."""
    start()
    called = time.time()
    results = tune.Tuner.restore(folder, trainable=train).fit()
    found = [
        [int(row["x"]), int(row["step"])]
        for result in results
        if result.metrics_dataframe is not None
        for _, row in result.metrics_dataframe.iterrows()
    ]
    return {"called": called, "trials": len(results), "results": found}


def written(folder: str) -> dict[str, int]:
    """Bytes on disk of all files but checkpoints."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {"all": sum(path.stat().st_size for path in files if not any("checkpoint_0" in part for part in path.parts))}


if __name__ == "__main__":
    main(globals())
