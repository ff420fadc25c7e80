from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: its threads cost more than they bring on models this small
