"""The command line of a process of ours: a bare interpreter that is told its sys.path and sys.argv first.

Not `multiprocessing`, which imports the user's main module again and so demands a guard in it; not `python -m`, which puts
the working directory in front of sys.path, where a user's `random.py` would be found.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# `-c` puts the working directory in front too: it goes before the first import, which could be a `json.py` that lies there.
_CODE = """\
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import importlib, json
sys.path[:], sys.argv[:], module, arguments = json.loads(sys.argv[1])
importlib.import_module(module).main(*arguments)
"""


def command(module: str, *arguments: Any) -> list[str]:
    """Runs `module.main(*arguments)` in a new interpreter."""
    path = [entry for entry in sys.path if isinstance(entry, str)]
    return [sys.executable, "-c", _CODE, json.dumps([path, sys.argv, module, arguments])]
