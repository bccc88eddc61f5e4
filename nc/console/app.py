"""The console as an ASGI application: the page and its modules, the live feed, reads, actions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from nc.client.client import AsyncClient
from nc.client.errors import CallFailed
from nc.console.actions import action_routes
from nc.console.feed import Feed
from nc.console.guard import AGAIN_SCRIPT
from nc.console.reads import Reads
from nc.history.export.page_files import STYLES, imports_of, page_file, page_html

CHECK_S: Final = 2.0  # between two looks at whether the server answers
_ENTRY: Final = "console.js"
_STYLE: Final = "console.css"
_VIEWS: Final = "views.html"
_TYPES: Final = {"js": "text/javascript", "css": "text/css"}


def console_app(client: AsyncClient, feed: Feed) -> Starlette:
    """The application; `client` is an open one, and `feed` runs while the application does."""
    console = _Console(client, feed)
    return Starlette(
        routes=[
            Route("/", console.page),
            Route("/page/{name}", console.module),
            Route("/api/live", console.live),
            *Reads(client).routes(),
            *action_routes(client),
        ],
        lifespan=console.lifespan,
    )


@cache
def _own_file(name: str) -> str | None:
    """A file of the console's page, or else of the page that the export has, too."""
    own = files("nc.console") / "page" / name
    if own.is_file():
        return own.read_text(encoding="utf-8")
    try:
        return page_file(name)
    except (FileNotFoundError, IsADirectoryError):
        return None


@cache
def _modules() -> list[str]:
    found: list[str] = []
    waiting = [_ENTRY]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += imports_of(_own_file(name) or "")
    return found


class _Console:
    def __init__(self, client: AsyncClient, feed: Feed) -> None:
        self._client = client
        self._feed = feed
        self._health: dict[str, Any] = {"problem": ""}

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._feed.run()), group.create_task(self._check())]
            yield
            for task in tasks:
                task.cancel()

    async def _check(self) -> None:
        """Ask again and again whether the server answers; pages are told each time."""
        while True:
            try:
                status = await self._client.server.status()
                now = status.now.timestamp() * 1000 if status.now else 0
                problem = status.degraded[0] if status.out_of_touch_since else self._feed.problem
                self._health = {
                    "problem": problem,
                    "now_ms": round(now),
                    "is_degraded": bool(status.degraded),
                }
            except CallFailed as error:
                self._health = {"problem": str(error)}
            self._feed.tell()
            await asyncio.sleep(CHECK_S)

    async def page(self, _request: Request) -> Response:
        styles = "\n".join(
            f'<link rel="stylesheet" href="/page/{name}">' for name in (*STYLES, _STYLE)
        )
        # all at once: to find one in another would take as many turns as they are deep
        modules = "\n".join(
            f'<link rel="modulepreload" href="/page/{name}">' for name in _modules()
        )
        html = page_html(
            head=f"<script>{AGAIN_SCRIPT}</script>\n{styles}\n{modules}",
            title="Network controller",
            views=_own_file(_VIEWS) or "",
            scripts=f'<script type="module" src="/page/{_ENTRY}"></script>',
        )
        return Response(html, media_type="text/html")

    async def module(self, request: Request) -> Response:
        name = request.path_params["name"]
        kind = _TYPES.get(name.rpartition(".")[2])
        text = _own_file(name) if kind else None
        if text is None:
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(text, media_type=kind)

    async def live(self, request: Request) -> Response:
        """Server-sent events: `health`, `present`, and `chunk` with an id to go on from."""
        given = request.headers.get("last-event-id", "")
        generation, _, seq = given.partition("-")
        is_id = generation.isdecimal() and seq.isdecimal()
        start = (int(generation), int(seq)) if is_id else (0, 0)
        return StreamingResponse(self._stream(*start), media_type="text/event-stream")

    async def _stream(self, generation: int, seq: int) -> AsyncIterator[bytes]:
        yield self._health_event()
        async for chunk in self._feed.after(generation, seq):
            if chunk is None:
                yield self._health_event()
                continue
            place = f"id: {chunk.id}\n" if chunk.id else ""
            yield f"event: {chunk.kind}\n{place}data: ".encode() + chunk.data + b"\n\n"

    def _health_event(self) -> bytes:
        return b"event: health\ndata: " + json.dumps(self._health).encode() + b"\n\n"
