"""Write a report on a run: one HTML file with its figures, trials and failures, that needs no network.

examples:
  microtune report my-run --open
  microtune report ./runs/my-run -o report.html
"""

from __future__ import annotations

import argparse
import json
import os
import webbrowser
from pathlib import Path

from microtune import RunError, open_run
from microtune_view_report.page import page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="the folder of the run, or its name in the default storage")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: report.html in the folder of the run")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(arguments: argparse.Namespace) -> int:
    grid = open_run(arguments.run)
    path = os.path.abspath(arguments.output or os.path.join(grid.path, "report.html"))
    content = page(grid)
    beside = f"{path}.{os.getpid()}.part"  # a report that is open in a browser is never half there
    try:
        # A name may hold halves of characters, which UTF-8 cannot.
        Path(beside).write_text(content, encoding="utf-8", errors="backslashreplace")
        os.replace(beside, path)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}; say where to with -o FILE") from error
    print(json.dumps({"report": path}) if arguments.json else f"wrote {path}")
    if arguments.open and not webbrowser.open(Path(path).as_uri()):
        raise RunError(f"no browser could be opened: open {path} yourself")
    return 0
