"""`python -m microtune` is the command `microtune`."""

from __future__ import annotations

import sys

from microtune.cli import main

if __name__ == "__main__":  # worker processes import this module again
    sys.exit(main())
