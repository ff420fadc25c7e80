"""Show runs in the browser, live, at an address that only this machine can reach.

PATH is the folder of a run, its name in the default storage, or a folder of runs, whose new runs appear by themselves;
none: the default storage. The page only reads; with --control the address holds a token, and it can stop runs and trials.

examples:
  microtune dashboard
  microtune dashboard my-run --open
  microtune dashboard ./runs --port 8000 --control
"""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="runs, or folders of runs; default: the default storage"
    )
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1 (default), localhost or ::1")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--control", action="store_true", help="let the page stop runs and trials")


def run(arguments: argparse.Namespace) -> int:
    from microtune_view_dashboard.server import serve

    return serve(
        arguments.paths, host=arguments.host, port=arguments.port, browser=arguments.open, control=arguments.control,
        as_json=arguments.json,
    )  # fmt: skip
