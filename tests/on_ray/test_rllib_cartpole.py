"""The example that tunes an RLlib algorithm, run as its reader would run it. Needs the extra `rllib`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "rllib_cartpole.py"


def test_the_pole_stays_up_longer(tmp_path):
    env = {**os.environ, "MICROTUNE_STORAGE": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, EXAMPLE], check=False, capture_output=True, text=True, timeout=500, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    first, last = map(float, re.search(r"episode return ([\d.]+) in .*, ([\d.]+) in iteration", done.stdout).groups())
    assert first < 50, "who moves at random keeps it up for some 20 steps"
    assert last > 100
