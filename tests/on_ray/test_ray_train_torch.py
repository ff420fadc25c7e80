"""The example that is Ray Train in trials, run as its reader would run it. Needs the extra `train`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import microtune as mt

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_train_torch.py"


def test_two_workers_in_every_trial_learn_the_digits_and_asha_stops_most_trials(tmp_path):
    env = {**os.environ, "MICROTUNE_STORAGE": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, EXAMPLE], check=False, capture_output=True, text=True, timeout=500, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(re.search(r"validation accuracy ([\d.]+)", done.stdout)[1]) > 0.9
    (path,) = tmp_path.iterdir()
    results = mt.ResultGrid(path)
    assert {trial.state for trial in results} <= {"COMPLETED", "STOPPED"}
    lengths = [len(trial.history) for trial in results]
    assert min(lengths) == 1
    assert max(lengths) == 9
    assert (Path(results.get_best_result().checkpoint) / "state.pt").is_file()
