"""The example that is digits.py on Ray, run as its reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_digits.py"


def test_ray_digits_finds_what_digits_finds(tmp_path):
    env = {**os.environ, "MICROTUNE_STORAGE": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, EXAMPLE], check=False, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "best of 20 trials" in done.stdout
    assert float(re.search(r"validation accuracy ([\d.]+)", done.stdout)[1]) > 0.9
