"""What the server answers: the page, the runs as JSON, news as server-sent events, and one request that changes something."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import os
import time
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from microtune import MicrotuneError, Reader, stop_run, stop_trial
from microtune_view_dashboard.folders import listing, read_text
from microtune_view_dashboard.guard import Guard
from microtune_view_dashboard.painter import Painter
from microtune_view_dashboard.shelf import TURN, Shelf
from microtune_view_dashboard.watched import Watched

_PAGES = os.path.join(os.path.dirname(__file__), "static")
_TICK = 0.25  # seconds until an open stream notices that the server ends
_BEAT = 60  # ticks of silence, after which the stream says that it is alive
_EVENTS = 500  # of a trial, that its page shows; results not counted


def application(shelf: Shelf, *, port: int, token: str | None, closing: Callable[[], bool]) -> Starlette:
    """`token`: what a request that stops something must carry; None: nothing can be stopped. `closing`: does the server end?"""
    desk = _Desk(shelf, token, closing)
    return Starlette(
        routes=[
            Route("/", desk.page),
            Route("/plotly.js", desk.plotly),
            Route("/api/stream", desk.stream),
            Route("/api/runs", desk.runs),
            Route("/api/runs/{run}", desk.run),
            Route("/api/runs/{run}/trials", desk.trials),
            Route("/api/runs/{run}/trials/{trial}", desk.trial),
            Route("/api/runs/{run}/trials/{trial}/file", desk.file),
            Route("/api/runs/{run}/figures/{figure}", desk.figure),
            Route("/api/runs/{run}/stop", desk.stop_run, methods=["POST"]),
            Route("/api/runs/{run}/trials/{trial}/stop", desk.stop_trial, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_PAGES)),
        ],
        middleware=[Middleware(Guard, port=port)],
        exception_handlers={MicrotuneError: _refusal},
    )


class _Desk:
    def __init__(self, shelf: Shelf, token: str | None, closing: Callable[[], bool]) -> None:
        self.shelf = shelf
        self.painter = Painter()
        self.token = token
        self.closing = closing
        self._asked: dict[tuple[Any, ...], int] = {}  # a second signal would force the end: each session is asked once

    # --- the page ----------------------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        return FileResponse(os.path.join(_PAGES, "index.html"))

    async def plotly(self, request: Request) -> Response:
        spec = find_spec("plotly")
        for folder in (spec and spec.submodule_search_locations) or ():
            path = os.path.join(folder, "package_data", "plotly.min.js")
            if os.path.exists(path):
                return FileResponse(path, headers={"cache-control": "no-cache"})
        raise HTTPException(404, "plotly is not installed")

    # --- what is there -----------------------------------------------------------------------------------------------

    async def stream(self, request: Request) -> Response:
        """`data: {key: version}` of the runs that have changed, of all at first."""
        return StreamingResponse(self._news(), media_type="text/event-stream")

    async def _news(self) -> AsyncIterator[str]:
        sent: dict[str, Any] = {}
        yield "retry: 1000\n\n"
        silent = ticks = 0
        while not self.closing():
            if ticks % 4 == 0:
                await run_in_threadpool(self.shelf.refresh)
                with self.shelf.lock:
                    now = {key: run.version for key, run in self.shelf.runs.items()}
                changed = {key: version for key, version in now.items() if sent.get(key) != version}
                if changed or not ticks:
                    sent, silent = now, 0
                    yield f"data: {_dumps(changed)}\n\n"
            ticks += 1
            silent += 1
            if silent % _BEAT == 0:
                yield ": still here\n\n"
            await asyncio.sleep(_TICK)

    def runs(self, request: Request) -> Response:
        self.shelf.refresh()
        with self.shelf.lock:
            runs = [run.summary() for run in self.shelf.runs.values()]
        return _answer({"runs": runs, "storages": self.shelf.storages, "control": self.token is not None})

    def run(self, request: Request) -> Response:
        self.shelf.refresh()
        with self.shelf.lock:
            run = self._run(request)
            answer = {**run.summary(), "settings": run.settings, "space": run.space, "control": self.token is not None}
        return _answer({**answer, "figures": self.painter.names()})

    def trials(self, request: Request) -> Response:
        """The rows that changed since the event `after` of the run with the id `of`."""
        after, known = request.query_params.get("after", "0"), request.query_params.get("of")
        self.shelf.refresh()
        with self.shelf.lock:
            run = self._run(request)
            since = (
                int(after) if known == run.id and after.isdecimal() else 0
            )  # another run may lie in its folder by now
            columns = {kind: [*names] for kind, names in run.columns.items()}
            answer = {"id": run.id, "seq": run.seq, "columns": columns, "rows": run.changes(since)}
        return _answer(answer)

    def trial(self, request: Request) -> Response:
        """All about one trial, from its events in the journal and the files in its folder."""
        run, trial = self._trial(request)
        results: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        more = False
        reader = Reader(run.path)
        try:
            for event in reader.events(trial=trial):
                if event.kind == "result":
                    results.append({**event.body, "at": event.at})
                elif len(events) < _EVENTS:
                    events.append({"seq": event.seq, "at": event.at, "kind": event.kind, "body": event.body})
                else:
                    more = True
        finally:
            reader.close()
        with self.shelf.lock:
            row = run.rows[trial].as_json()
            going_on = run.status()[0] == "running" and row["state"] in ("RUNNING", "PAUSED", "PENDING")
        folder = _folder(run, trial)
        about = {"row": row, "results": results, "events": events, "more": more, "folder": folder, **listing(folder)}
        return _answer({**about, "stoppable": going_on and self.token is not None})

    def file(self, request: Request) -> Response:
        run, trial = self._trial(request)
        return _answer(read_text(run.path, _folder(run, trial), request.query_params.get("path", "")))

    async def figure(self, request: Request) -> Response:
        """`again`: seconds after which it is worth asking again."""
        with self.shelf.lock:
            run = self._run(request)
            path, run_id = run.path, run.id
        name = request.path_params["figure"]
        if name not in self.painter.names():
            raise HTTPException(404, f"there is no figure {name!r}")
        painting = asyncio.wrap_future(self.painter.paint(path, run_id, name))
        while not (await asyncio.wait({painting}, timeout=_TICK))[0]:
            if self.closing():
                raise HTTPException(503, "The server ends.")
        done = painting.result()
        head = _dumps({"seq": done.seq, "problem": done.problem, "again": self.painter.again(done)})
        return Response(f'{head[:-1]},"figure":{done.text or "null"}}}', media_type="application/json")

    # --- what changes something --------------------------------------------------------------------------------------

    def stop_run(self, request: Request) -> Response:
        self._allow(request)
        with self.shelf.lock:
            run = self._run(request)
            run.poll(time.monotonic() + TURN)  # a session that began within the last second is another one
            path, session = run.path, (run.path, run.session.get("host"), run.session.get("pid"), run.session_began)
        if session not in self._asked:
            self._asked[session] = stop_run(path)
        return _answer({"asked": self._asked[session]})

    def stop_trial(self, request: Request) -> Response:
        self._allow(request)
        run, trial = self._trial(request)
        return _answer({"asked": stop_trial(run.path, trial)})

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _allow(self, request: Request) -> None:
        given = request.headers.get("x-token", "")
        if self.token is None or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPException(403, "Start the dashboard with --control, and open the address that it prints.")

    def _run(self, request: Request) -> Watched:
        run = self.shelf.runs.get(request.path_params["run"])
        if run is None:
            raise HTTPException(404, "There is no such run here.")
        return run

    def _trial(self, request: Request) -> tuple[Watched, str]:
        trial = request.path_params["trial"]
        self.shelf.refresh()
        with self.shelf.lock:
            run = self._run(request)
            if trial not in run.rows:
                raise HTTPException(404, f"The run has no trial {trial!r}.")
        return run, trial


def _refusal(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=409)


def _folder(run: Watched, trial: str) -> str:
    return os.path.join(run.path, "trials", trial)


def _answer(value: Any, status: int = 200) -> Response:
    return Response(_dumps(value), status_code=status, media_type="application/json")


def _dumps(value: Any) -> str:
    """Strict JSON: a number that it lacks is "NaN", "Infinity" or "-Infinity"."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_spelled(value), separators=(",", ":"))


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(item) for item in value]
    return value
