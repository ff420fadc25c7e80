"""What tox installs with: pip, and the house's build backend once instead of once for each of its distributions.

pip builds each editable distribution in an environment of its own, in which it installs the backend anew; an environment of
tox has up to thirty of them. And nothing is compiled: of torch and the like most modules are never imported.
"""

from __future__ import annotations

import subprocess
import sys

PIP = [sys.executable, "-I", "-m", "pip", "install", "--no-compile"]

if __name__ == "__main__":
    subprocess.run([*PIP, "hatchling>=1.26", "editables"], check=True)
    sys.exit(subprocess.run([*PIP, "--no-build-isolation", *sys.argv[1:]], check=False).returncode)
