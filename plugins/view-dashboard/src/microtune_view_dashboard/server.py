"""The server: one address on this machine, from the command line until Ctrl-C."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import webbrowser

import uvicorn

from microtune import OptionError
from microtune_view_dashboard.application import application
from microtune_view_dashboard.guard import LOOPBACK
from microtune_view_dashboard.shelf import Shelf


def serve(paths: list[str], *, host: str, port: int, browser: bool, control: bool, as_json: bool = False) -> int:
    """Serve until Ctrl-C; OptionError where there is nothing to serve, or no address for it."""
    shelf = Shelf(paths)
    listener = _listen(host, port)
    with listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24) if control else None
        # What follows the # is for the page: no browser sends it, no log keeps it.
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/" + (f"#token={token}" if token else "")
        server: uvicorn.Server
        app = application(shelf, port=port, token=token, closing=lambda: server.should_exit)
        # A stream ends by itself at the next tick; what still works after a second is left to its end.
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=1, ws="none", lifespan="off", server_header=False
        )  # fmt: skip
        server = uvicorn.Server(config)
        print(json.dumps({"url": url}) if as_json else f"dashboard at {url}\nCtrl-C ends it", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # how it is meant to end
            pass
    return 0


def _listen(host: str, port: int) -> socket.socket:
    if host not in LOOPBACK:
        raise OptionError(
            f"--host {host!r}: what a run holds is shown to this machine only, so it must be one of {', '.join(LOOPBACK)}. "
            "From another machine, tunnel: `ssh -L 8000:127.0.0.1:8000 THIS_MACHINE`, with `--port 8000` here"
        )
    if not 0 <= port < 65536:
        raise OptionError(f"--port {port}: a port is a number up to 65535, 0 a free one")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # who comes before the server is there waits for it
    except OSError as error:
        listener.close()
        raise OptionError(
            f"--host {host} --port {port}: {error.strerror}; without --port a free one is taken"
        ) from error
    return listener
