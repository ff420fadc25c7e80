"""Who may ask: pages of this server only, whatever other pages the same browser has open.

A page of another site can send requests to 127.0.0.1, and by DNS rebinding under its own name: the Host header gives away the
second, the Origin header the first. Nothing here is allowed to other origins, and no answer is ever run as a page but our own.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Plotly writes styles into its drawings, and compiles its WebGL figures (parallel coordinates stay grey without). No script is
# in a page itself, and nothing of ours evaluates a text.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """In front of the application."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self.app = app
        names = [f"[{host}]" if ":" in host else host for host in LOOPBACK]
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refuses(Headers(scope=scope), scope["method"])
        answer = self.app if refused is None else PlainTextResponse(refused, status_code=403)
        await answer(scope, receive, send_with_headers)

    def _refuses(self, headers: Headers, method: str) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "This server answers to its own address only. Behind a tunnel, use the same port on both sides."
        origins = headers.getlist("origin")
        if any(origin not in {f"http://{host}" for host in self._hosts} for origin in origins):
            return "Another site has no business here."
        if method not in ("GET", "HEAD") and len(origins) != 1:
            return "A request that changes something must come from the page itself, and say so in its Origin."
        return None
